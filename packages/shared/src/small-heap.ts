// The first import of an app. V8 would let the heap become several times what is alive in it before it looks for garbage,
// some hundred megabytes at saturation. Looking when it has grown by half costs a twentieth of the rate with bodies of
// 10 KB, and nothing that we could measure with small ones; by a fifth, it cost a quarter with the larger.
//
// Each collection says when the next one is due, and the first comes while an app is loaded. What the heap was once, the
// process keeps: V8 has a pool of the pages that it does not use.

import { setFlagsFromString } from "node:v8";

setFlagsFromString("--heap-growing-percent=50");
