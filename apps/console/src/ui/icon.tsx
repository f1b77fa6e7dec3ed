// Signs of the frame as drawings. A sign of a font looks different on each machine, and some draw it in colours.

const DRAWINGS = {
  menu: "M2 4.5h12M2 8h12M2 11.5h12",
  close: "m4 4 8 8m0-8-8 8",
  light:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5m0 11V15M1 8h1.5m11 0H15M3 3l1.1 1.1m7.8 7.8L13 13M3 13l1.1-1.1m7.8-7.8L13 3",
  dark: "M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1Z",
  system: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2v12M10.5 3v10M12.8 5v6",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.6-3.9M13.5 1.8V5h-3.2",
  person: "M8 2.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M2.5 14c.5-2.8 2.7-4 5.5-4s5 1.2 5.5 4",
};

export function Icon({ name }: { name: keyof typeof DRAWINGS }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={DRAWINGS[name]} />
    </svg>
  );
}
