// `npm run test:gemini` plays 10,000 jobs at a simulated Gemini against a relay whose worker is killed ten times.
// Arguments: how many jobs, and the seed.

const [jobs = "10000", seed = "1"] = process.argv.slice(2);
process.env["GEMINI_JOBS"] = jobs;
process.env["GEMINI_SEED"] = seed;
process.argv.splice(2, process.argv.length, "gemini-jobs", "--project", "postgres");
await import("./test.ts");
