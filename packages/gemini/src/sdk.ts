// What the relay uses of Google's SDK. The bundler makes a file of its own of it, which is read when it is used first.

export { GenerateVideosOperation, GoogleGenAI } from "@google/genai";
