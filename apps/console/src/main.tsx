// The console in the browser.

import "./style/tokens.css";
import "./style/base.css";
import "./style/ui.css";
import "./style/dialogs.css";
import "./style/code.css";
import "./style/list.css";
import "./style/shell.css";
import "./style/log.css";
import "./style/records.css";
import "./style/forms.css";
import "./style/setup.css";
import "./style/live.css";
import "./style/overview.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { queries } from "./data/client.ts";
import { applyTheme } from "./data/taste.ts";
import { loadScreens, router } from "./router.tsx";

applyTheme();
const place = document.getElementById("console");
if (place === null) throw new Error("index.html has no element #console");
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
// Safari has no requestIdleCallback.
const whenIdle = globalThis.requestIdleCallback ?? ((load: () => void) => setTimeout(load, 1_000));
whenIdle(() => void loadScreens());
