// Greets whom the event names. `lambent deploy` bundles this file with esbuild.
export interface Greeting {
  greeting: string;
}

export const handler = async (event: { name?: string }): Promise<Greeting> => {
  const name = event.name ?? 'world';
  console.log('greeting', name);
  return { greeting: `Hello ${name}` };
};
