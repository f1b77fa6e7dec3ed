// The screens of the console in the order of its navigation, with the letter that follows `g`.

export interface NavScreen {
  to: string;
  label: string;
  key: string;
  /** Screens of one group stand together. */
  group: "see" | "set up" | "keep";
}

export const SCREENS: readonly NavScreen[] = [
  { to: "/", label: "Overview", key: "o", group: "see" },
  { to: "/events", label: "Events", key: "e", group: "see" },
  { to: "/deliveries", label: "Deliveries", key: "d", group: "see" },
  { to: "/live", label: "Live", key: "l", group: "see" },
  { to: "/rejections", label: "Rejections", key: "r", group: "see" },
  { to: "/targets", label: "Targets", key: "t", group: "set up" },
  { to: "/sources", label: "Sources", key: "s", group: "set up" },
  { to: "/jobs", label: "Jobs", key: "j", group: "set up" },
  { to: "/keys", label: "Keys", key: "k", group: "set up" },
  { to: "/operations", label: "Operations", key: "p", group: "keep" },
  { to: "/set-aside", label: "Set aside", key: "x", group: "keep" },
  { to: "/audit", label: "Audit", key: "a", group: "keep" },
  { to: "/system", label: "System", key: "y", group: "keep" },
];
