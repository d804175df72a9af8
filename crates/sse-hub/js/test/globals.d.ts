// What the tests put into their pages.

interface Window {
  trpc: any;
  events: any[];
  hello: any;
  call: (procedure: string, input: object, headers?: Record<string, string>) => Promise<any>;
  listen: (ticket: string) => any;
  ticket: string;
  first: any;
  second: any;
  ending: any;
  renewed: any;
}
