// The first import of an app: what V8 does with its heap, for a process in which nearly nothing lives longer than a
// request, and a request for some milliseconds.

import { setFlagsFromString } from "node:v8";

// V8 would let the heap become several times what is alive in it before it looks for garbage, some hundred megabytes at
// saturation. Looking when it has grown by half costs a twentieth of the rate with bodies of 10 KB, and nothing that we
// could measure with small ones; by a fifth, it cost a quarter with the larger. Each collection says when the next one is
// due, and the first comes while an app is loaded. What the heap was once, the process keeps: V8 has a pool of the pages
// that it does not use.
setFlagsFromString("--heap-growing-percent=50");

// V8 would make objects among the old ones at once, where most of those that it saw lived for two of its short
// collections, as requests do that wait for their store. Whatever such an object refers to is kept with it until the
// whole heap is collected: two thirds of what outlived a request did so for that.
setFlagsFromString("--no-allocation-site-pretenuring");
