// `npm run simulator` starts the simulator of Gemini (packages/gemini-simulator/README.md).

await import("@sluice/gemini-simulator/main");
