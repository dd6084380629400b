import { io } from '@tensorflow/tfjs-core';

/** A model of tfjs-layers as it is written to disk: its topology has been through JSON. */
export async function savedArtifacts(model: { save(handler: io.IOHandler): Promise<io.SaveResult> }): Promise<io.ModelArtifacts> {
  let saved: io.ModelArtifacts | undefined;
  await model.save(
    io.withSaveHandler(async (artifacts) => {
      saved = { ...artifacts, modelTopology: JSON.parse(JSON.stringify(artifacts.modelTopology)) as object };
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  return saved!;
}
