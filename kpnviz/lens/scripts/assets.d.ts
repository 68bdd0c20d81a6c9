// Files that the linker puts into the script as text: kpnviz/lens/linker.py.

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.css" {
  const text: string;
  export default text;
}

declare module "*.svg" {
  const text: string;
  export default text;
}

declare module "*.json" {
  const text: string;
  export default text;
}
