// /go/{id}: leads to the page of any id. The id of a job has a slash.

import { useQuery } from "@tanstack/react-query";
import { Navigate, useParams } from "@tanstack/react-router";

import { findPlace } from "../data/go.ts";
import { ProblemNote } from "../ui/problem.tsx";

export function GoScreen() {
  const { _splat: id = "" } = useParams({ strict: false });
  const place = useQuery({ queryKey: ["place", id], queryFn: () => findPlace(id) });
  if (place.error !== null) return <ProblemNote error={place.error} onRetry={() => void place.refetch()} />;
  if (place.data === undefined) return null;
  return <Navigate to={place.data.to} search={place.data.search ?? {}} replace />;
}
