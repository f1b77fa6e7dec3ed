// What somebody asked of the simulator itself, and not of Gemini, that it cannot do. The control routes answer it with 400.

export class Misuse extends Error {
  override name = "Misuse";
}
