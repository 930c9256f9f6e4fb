"""The raw scenarios, each compared with what Apache Kafka 4.3.0 answered (expected/)."""
import json, os
import scenarios_admin, scenarios_data, scenarios_groups, scenarios_members  # register their scenarios
from cases import Case
from scenarios import OURS, Probe, SCENARIOS

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'expected')
RECORD = False  # run.py --record: write the files instead


class Raw(Case):
    def compare(self, name):
        probe = Probe(self.target.port, self.unique('raw'))
        try: SCENARIOS[name](probe)
        finally: probe.close()
        path = os.path.join(FOLDER, name + '.json')
        if RECORD:
            with open(path, 'w') as f:
                f.write('{\n' + ',\n'.join(f'{json.dumps(k)}: {json.dumps(v)}' for k, v in probe.notes.items()) + '\n}\n')
        with open(path) as f: expected = json.load(f)
        if self.target.name == 'edgelog':
            for (of, step), answer in OURS.items():
                if of == name: expected[step] = answer
        wrong = [f'{step}: expected {json.dumps(expected.get(step))}, got {json.dumps(probe.notes.get(step))}'
                 for step in {**expected, **probe.notes} if expected.get(step) != probe.notes.get(step)]
        self.assertFalse(wrong, '\n' + '\n'.join(wrong))


for name, function in SCENARIOS.items():
    setattr(Raw, 'test_' + name, lambda self, name=name: self.compare(name))
