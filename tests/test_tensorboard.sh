#!/usr/bin/env bash
# TensorBoard's own package reads the event files, and pandas the metrics, as the program wrote them,
# before and after a resume. Usage: test_tensorboard.sh PROGRAM
# Needs a Python with TensorBoard, pandas or both, in $PYTHON or where it usually is.
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"
unset MNIST_GPU_DATA
export PYTHONDONTWRITEBYTECODE=1

# find_python MODULE: sets $python to one that has it, or to "".
find_python() {
    for python in "${PYTHON:-python3}" /usr/bin/python3 ""; do
        "$python" -c "import $1" 2>/dev/null && break
    done
}

printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >tiny.net
run "$program" train --data tiny --model tiny.net --device cpu --epochs 3 --tensorboard --quiet --out run
exits 0
run "$program" train --resume run --epochs 5 --quiet
exits 0
run "$program" train --data tiny --model tiny.net --device cpu --epochs 2 --val-split 0 --tensorboard \
    --quiet --out plain
exits 0

# compare_events DIR RUN...: the scalars that Python reads, against metrics.csv.
compare_events() {
    "$python" - "$@" <<'PYTHON'
import csv, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

FIGURES = {"train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "lr",
                     "epoch_images_per_sec": "images_per_sec"},
           "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"}}
for run in sys.argv[2:]:
    rows = list(csv.DictReader(open(f"{sys.argv[1]}/metrics.csv")))
    events = EventAccumulator(f"{sys.argv[1]}/{run}").Reload()
    assert sorted(events.Tags()["scalars"]) == sorted(FIGURES[run]), events.Tags()
    for tag, column in FIGURES[run].items():
        scalars = events.Scalars(tag)
        assert [s.step for s in scalars] == [int(row["epoch"]) for row in rows], (run, tag, scalars)
        for s, row in zip(scalars, rows):
            assert abs(s.value - float(row[column])) <= 1e-6 * abs(s.value), (run, tag, s, row)
        times = [s.wall_time for s in scalars]
        assert times == sorted(times) and 0 <= times[0] - events.FirstEventTimestamp() < 600, times
    print(f"{sys.argv[1]}/{run}: {len(rows)} epochs")
PYTHON
}

# follow DIR: a TensorBoard that is running sees the epochs of a run that goes on.
follow() {
    "$python" - "$program" "$1" <<'PYTHON'
import subprocess, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

program, directory = sys.argv[1:]
events = EventAccumulator(f"{directory}/train").Reload()
before = len(events.Scalars("epoch_loss"))
subprocess.run([program, "train", "--resume", directory, "--epochs", str(before + 3), "--quiet"],
               check=True, stdout=subprocess.DEVNULL)
print([s.step for s in events.Reload().Scalars("epoch_loss")])
PYTHON
}

tested=0
find_python tensorboard
if [ -n "$python" ]; then
    run compare_events run train validation
    exits 0 'run/validation: 5 epochs'
    run compare_events plain train
    exits 0 'plain/train: 2 epochs'
    check "no validation, no such run" [ ! -e plain/validation ]
    run follow run
    exits 0 '^\[1, 2, 3, 4, 5, 6, 7, 8\]$'
    tested=1
else
    skip "no Python with TensorBoard"
fi

# compare_metrics DIR: both files without any option say the same.
compare_metrics() {
    "$python" - "$1" <<'PYTHON'
import sys, pandas
table = pandas.read_csv(f"{sys.argv[1]}/metrics.csv")
lines = pandas.read_json(f"{sys.argv[1]}/metrics.jsonl", lines=True)
assert list(table.columns) == list(lines.columns), (table.columns, lines.columns)
assert list(table["epoch"]) == list(range(1, len(table) + 1)), table
assert all(kind.kind in "if" for kind in table.dtypes), table.dtypes
pandas.testing.assert_frame_equal(table, lines, check_dtype=False)
print(f"{sys.argv[1]}: {len(table)} epochs, {table['val_loss'].count()} validated")
PYTHON
}

find_python pandas
if [ -n "$python" ]; then
    run compare_metrics run
    exits 0 'run: [58] epochs, [58] validated'
    run compare_metrics plain
    exits 0 'plain: 2 epochs, 0 validated'
    tested=1
else
    skip "no Python with pandas"
fi

echo "$checks checks, $failures failed"
[ $failures = 0 ] || exit 1
[ $tested = 1 ] || exit 77
