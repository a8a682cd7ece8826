import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

// Holds what each entry exports against its report in etc/; with --local it brings the reports up to date.
const localBuild = process.argv.includes('--local');
const config = join(import.meta.dirname, 'api-extractor.json');
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));

for (const [entry, { types }] of Object.entries(exports)) {
  if (types === undefined) continue;
  const configObject = ExtractorConfig.loadFile(config);
  configObject.mainEntryPointFilePath = resolve(types);
  configObject.apiReport.reportFileName = `${entry.slice(2) || 'genauth'}.api.md`;
  configObject.compiler.overrideTsconfig.files = [types];
  const extractorConfig = ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: config,
    packageJsonFullPath: resolve('package.json'),
  });
  const { succeeded } = Extractor.invoke(extractorConfig, { localBuild });
  if (!succeeded) process.exitCode = 1;
}
