/** A variable whose value the kubelet takes out of a Secret: the operator neither reads it nor needs to. */

export function secretEnv(
  name: string,
  secret: { readonly name: string; readonly key: string },
  optional?: true,
) {
  return {
    name,
    valueFrom: {
      secretKeyRef: { name: secret.name, key: secret.key, ...(optional === undefined ? {} : { optional }) },
    },
  };
}
