import { expect, test } from '@jest/globals';
import { hyperparameterTree } from './hyperparameters.ts';

test('a dot leads into a section, and what reads as a number is one', () => {
  const tree = hyperparameterTree({
    steps: 500,
    learning_rate: '0.001',
    decay: '1e-4',
    'model.width': '64',
    'model.gate.on': 'true',
    activation: 'gelu',
    long: '1e999',
    padded: '007',
    empty: '',
  });
  expect(JSON.parse(JSON.stringify(tree))).toEqual({
    steps: 500,
    learning_rate: 0.001,
    decay: 0.0001,
    model: { width: 64, gate: { on: true } },
    activation: 'gelu',
    long: '1e999',
    padded: '007',
    empty: '',
  });
});

test('names of an object’s own are names like others', () => {
  const tree = hyperparameterTree({ 'constructor.prototype.polluted': 1 });
  expect(JSON.stringify(tree)).toBe('{"constructor":{"prototype":{"polluted":1}}}');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('none are an empty object', () => {
  expect(JSON.stringify(hyperparameterTree())).toBe('{}');
});
