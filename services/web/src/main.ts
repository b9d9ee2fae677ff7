/** The web app's files as a process, for where the procedures are served by others under the same name. */
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'
import { readWebConfig } from './config.ts'
import { builtWebDir, createWebComponent, isBuilt } from './web-component.ts'

await runProcess({
  name: 'web',
  config: readWebConfig,
  start: async ({ signIn }, { log }) => {
    if (!isBuilt(builtWebDir))
      throw new StartError('the web app is not built: npm run build -w web')
    return [createWebComponent({ dir: builtWebDir, signIn, log })]
  },
})
