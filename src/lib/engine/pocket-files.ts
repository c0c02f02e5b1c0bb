/** Where this build keeps the pocket model's files: addresses relative to the script, so any folder of any server will do. */
import weights from '../../../models/pocket/model_q4.onnx?url';
import tokenizer from '../../../models/pocket/tokenizer.json?url';
import tokenizerConfig from '../../../models/pocket/tokenizer_config.json?url';
import reference from '../../../models/pocket/self_test.json?url';
import type { Addresses } from '#workers/messages.ts';

export const POCKET_FILES: Addresses = { weights, tokenizer, tokenizerConfig, reference };
