// All deliveries, and acting on all that match the filters.

import { Link } from "@tanstack/react-router";
import { useState } from "react";

import type { DeliveryRow } from "../data/records.ts";
import type { SearchParams } from "../data/search-params.ts";
import { ListScreen } from "../list/list-screen.tsx";
import { ActionButton } from "../ui/button.tsx";
import { BulkDialog, type BulkVerb } from "./bulk-dialog.tsx";
import { DELIVERY_COLUMNS } from "../list/delivery-columns.tsx";
import { useDeliveryFilters } from "../list/event-filters.ts";

export function DeliveriesScreen() {
  const filters = useDeliveryFilters();
  const [verb, setVerb] = useState<BulkVerb>();
  return (
    <ListScreen<DeliveryRow>
      title="Deliveries"
      path="/v1/deliveries"
      columns={DELIVERY_COLUMNS}
      filters={filters}
      linkTo={({ id }) => `/deliveries/${id}`}
      actions={
        <>
          <ActionButton needs="write" onClick={() => setVerb("retry")}>
            Retry matching…
          </ActionButton>
          <ActionButton needs="write" onClick={() => setVerb("cancel")}>
            Cancel matching…
          </ActionButton>
        </>
      }
      empty={
        <>
          <p>
            <strong>Nothing has been delivered yet.</strong>
          </p>
          <p className="muted">
            Each event gets a delivery for every target that is subscribed to it.{" "}
            <Link to="/targets">Make a target</Link>.
          </p>
        </>
      }
    >
      {(_, search: SearchParams) =>
        verb !== undefined && <BulkDialog verb={verb} search={search} onClose={() => setVerb(undefined)} />
      }
    </ListScreen>
  );
}
