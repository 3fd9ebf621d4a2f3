/** What a model says about itself and how it is run, for the wire's metadata answer. */
import { notReady } from './errors.ts';
import type { ServedVersion } from './served-version.ts';
import type { ModelSettings } from './settings.ts';
import { type ModelMetadata, PROPERTY } from './types.ts';

/** @throws MODEL_NOT_READY before the version was loaded */
export function metadataOf(
  name: string,
  served: ServedVersion,
  versions: readonly string[],
  settings: ModelSettings,
): ModelMetadata {
  const { loaded } = served;
  if (loaded === undefined) throw notReady(name, served.state.reason);
  const { signature, sha256 } = loaded.first;
  const { forecast } = signature;
  return {
    name,
    versions,
    platform: 'onnxruntime_onnx',
    inputs: signature.inputs,
    outputs: signature.outputs,
    properties: {
      [PROPERTY.digest]: sha256,
      [PROPERTY.opset]: String(signature.opset),
      [PROPERTY.deterministic]: String(!signature.random),
      [PROPERTY.executionProvider]: loaded.provider.provider,
      [PROPERTY.executionProviderReason]: loaded.provider.reason,
      [PROPERTY.batching]: loaded.warmUp.batching.on ? 'dynamic' : 'off',
      [PROPERTY.batchingReason]: loaded.warmUp.batching.reason,
      [PROPERTY.instances]: String(settings.instances),
      [PROPERTY.contract]: forecast === undefined ? 'generic' : 'forecast',
      ...(forecast === undefined
        ? {}
        : {
            'foresail.name': forecast.name,
            'foresail.version': forecast.version,
            'foresail.horizon': String(forecast.horizon),
            'foresail.quantile_levels': JSON.stringify(forecast.levels),
          }),
    },
  };
}
