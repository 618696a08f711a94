#!/usr/bin/env bash
# The program as its users meet it: help, usage errors, runs, interruption, output that cannot be
# written. Usage: test_cli.sh PROGRAM
# Works on a tiny IDX set of its own; with MNIST_GPU_DATA also a short run on real data.
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
real_data=${MNIST_GPU_DATA:-}
unset MNIST_GPU_DATA
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"

printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >tiny.net
printf 'input 1x28x28\ndense out=10\nrelu\ndense out=10\nsoftmax_xent\n' >deep.net

train() { run "$program" train --data tiny --model tiny.net --device cpu --batch 7 "$@"; }

# ---- help and version ----

run "$program" --version
exits 0 '^mnist_gpu [0-9]'
run "$program" --help
exits 0 '^Usage: mnist_gpu COMMAND'
for command in train eval predict summary bench check info data; do
    check "--help lists $command" grep -q "^  $command " out
done
for command in train eval predict summary bench check info data; do
    for flag in --help -h; do
        run "$program" "$command" $flag
        exits 0 "^Usage: mnist_gpu $command"
        check "nothing on stderr" [ ! -s err ]
        check "at most 100 columns" not grep -q '.\{101\}' out
    done
done
run "$program" train --epochs 3 --help
exits 0 'epochs N.*\[30\]'

# ---- usage errors ----

run "$program"
exits 2 'no command'
run "$program" trian
exits 2 'unknown command "trian" (nearest: train)'
run "$program" --versoin
exits 2 'nearest: --version'
run "$program" train --epoch
exits 2 'unknown option "--epoch" (nearest: --epochs)'
run "$program" train --optimiser=sgd
exits 2 'nearest: --optimizer'
run "$program" eval -x
exits 2 'unknown option'
run "$program" train --optimizer adamm
exits 2 'nearest: adam'
run "$program" data downlaod
exits 2 'nearest: download'
run "$program" data
exits 2 'argument is missing'
run "$program" predict
exits 2 'argument is missing'
run "$program" info nonsense
exits 2 'too many'
run "$program" train --quiet=1
exits 2 'takes no value'
run "$program" train --epochs
exits 2 'value is missing'
run "$program" train --out=
exits 2 'value is empty'
for value in 0 -1 1.5 1e3 0x10 ' 5' 5x '' 99999999999 nan; do
    run "$program" train --epochs "$value"
    exits 2 'expected a whole number from 1 to 2147483647'
done
for value in 0 -0.1 nan inf 0x1p-3 0,001 1e999 x '' '1 '; do
    run "$program" train --lr "$value"
    exits 2 '--lr: expected a number above 0'
done
for value in 1 -0.1 2; do
    run "$program" train --val-split $value
    exits 2 'expected a number from 0 to below 1'
done
for value in -1 18446744073709551616 ''; do
    run "$program" train --seed "$value"
    exits 2 '--seed: expected a whole number from 0 to'
done
run "$program" train --batch-size 65537
exits 2 '--batch: expected'
train --device gpu
exits 2 'no device "gpu"'
run "$program" summary --model lenet5 tiny.net
exits 2 'not both'
for value in 0 -1 65537 "32," ,32 1,,2 1x 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17; do
    run "$program" bench --batch "$value"
    exits 2 '--batch: expected up to 16 whole numbers'
done
run "$program" eval $'evil\nname\033[31m'
exits 1 'evil?name'

# ---- nonsense files ----

head -c 3000 /dev/urandom >noise
printf '' >empty
mkdir hollow
for file in noise empty hollow missing /dev/null; do
    run "$program" eval $file
    exits 1 "$file"
    run "$program" predict --weights $file 0.pgm
    exits 1 "$file"
    run "$program" summary $file
    exits 1 "$file"
    run "$program" train --data tiny --init $file
    exits 1 "$file"
    run "$program" train --data tiny --model $file
    exits 1
    run "$program" train --resume $file
    exits 1 "$file"
    run "$program" train --data $file
    exits 1 "$file"
done
check "failed commands leave no run behind" [ ! -e runs ]
MNIST_GPU_DATA=$work/missing run "$program" train
exits 1 missing

# ---- training ----

train --epochs 4 --out a
exits 0 '^test: [0-9.]* % ([0-9]* of 20), loss [0-9.]*$'
for line in '^Model: tiny.net' '^Device: CPU' '^Data: .*90 training, 10 validation, 20 test' \
    '^Run:    a$' \
    '^epoch 4/4  loss [0-9.]*  accuracy [0-9.]* %  val_loss [0-9.]*  val_accuracy [0-9.]* %  [0-9.]* s  [0-9]* images/s$' \
    '^saved: a/best.safetensors (epoch [1-4])$'; do
    check "stdout has '$line'" grep -q -- "$line" out
done
check "one line per epoch" [ "$(grep -c '^epoch ' out)" = 4 ]
check "no carriage return or escape off a terminal" not grep -q $'[\r\033]' out err
check "nothing on stderr" [ ! -s err ]
for file in config.json metrics.csv best.safetensors last.safetensors state.safetensors; do
    check "a/$file is there" [ -s a/$file ]
done
check "metrics.csv has a header and 4 epochs" [ "$(wc -l <a/metrics.csv)" = 5 ]

train --epochs 4 --out a
exits 2 'holds a run already'
train --epochs 4 --out b --quiet --threads 1
exits 0
check "--quiet prints two lines" [ "$(wc -l <out)" = 2 ]
train --epochs 4 --out c --quiet --threads 2
exits 0
train --epochs 4 --out d --quiet --seed 2
exits 0
same a/best.safetensors b/best.safetensors
same a/last.safetensors c/last.safetensors
differ a/last.safetensors d/last.safetensors
train --epochs 1 --val-split 0 --limit 20 --optimizer sgd --momentum 0.9 --shuffle none
exits 0 ' 20 training, 0 validation'
check "no validation figures without validation" not grep -q val_loss out
check "a run of its own under runs/" [ "$(echo runs/*-tiny.net/best.safetensors | wc -w)" = 1 ]
train --init a --epochs 1 --max-steps 1 --quiet --out from_a
exits 0 'from_a/last.safetensors (before the end of the first epoch)'
train --model deep.net --lr 1e30 --epochs 50 --optimizer sgd --out wild
exits 1 'not finite.*lower learning rate'
run "$program" eval wild --data tiny
exits 0
train --out /dev/null/x
exits 1 '/dev/null'
train --limit 1 --val-split 0.5
exits 1 'no training images left'

# ---- going on ----

train --epochs 4 --max-steps 20 --out e
exits 0
run "$program" train --resume e --max-steps 0 --quiet
exits 0
same a/best.safetensors e/best.safetensors
same a/last.safetensors e/last.safetensors
run "$program" train --resume e
exits 0 'finished already'
check "a finished run is tested" grep -q '^test: ' out
train --epochs 2 --out f
run "$program" train --resume f --epochs 4
exits 0 '^epoch 3/4 '
same a/last.safetensors f/last.safetensors
run "$program" train --resume f --lr 0.1
exits 2 '--lr cannot be changed'

# interrupt SIGNAL: a run of 300 epochs, stopped after a few and resumed, against an unbroken one
train --epochs 300 --quiet --out whole
exits 0
interrupt() {
    local pid i
    set -m # else a background process ignores SIGINT
    "$program" train --data tiny --model tiny.net --device cpu --batch 7 --epochs 300 --out "$1" \
        >out 2>err </dev/null &
    pid=$!
    set +m
    for ((i = 0; i < 200; i++)); do
        [ -e "$1/metrics.csv" ] && [ "$(wc -l <"$1/metrics.csv")" -ge 4 ] && break
        sleep 0.05
    done
    kill "-$1" $pid
    wait $pid
    code=$? last="train, kill -$1"
    exits 130 "mnist_gpu train --resume $1"
    check "stopped before the end" not grep -q '^epoch 300/' out
    run "$program" train --resume "$1" --quiet
    exits 0
    same whole/best.safetensors "$1/best.safetensors"
    same whole/last.safetensors "$1/last.safetensors"
}
interrupt INT
interrupt TERM

# ---- eval, predict, summary, info ----

run "$program" eval a
exits 0 '^test: [0-9.]* % ([0-9]* of 20), loss'
check "a table of classes" grep -q '^ *9 .*%.* 2$' out
check "a confusion matrix" grep -q '^Confusion matrix' out
run "$program" eval
exits 0 "runs/\|TERM/"
for split in val train; do
    run "$program" eval a --split $split
    exits 0 "^$split: "
done
check "the run's training images" grep -q 'of 90)' out
run "$program" eval a/best.safetensors --split val --data tiny
exits 2 'no run'
run "$program" eval a --model lenet5
exits 1 'tensor'
run "$program" eval a --model tiny.net
exits 0

run "$program" predict --weights a 3.pgm --top 3
exits 0 '^3.pgm: [0-9] ([0-9.]* %)$'
check "three bars" [ "$(wc -l <out)" = 4 ]
run "$program" predict --weights a 1.pgm noise 2.pgm
exits_partly() {
    check "exit 1" [ $code = 1 ]
    check "the others go on" [ "$(grep -c 'pgm: ' out)" = 2 ]
    check "the unreadable picture is named" grep -q '^mnist_gpu: noise' err
}
exits_partly
run "$program" predict --weights a noise
exits 1 noise
"$program" predict --weights a - <7.pgm >piped
run "$program" predict --weights a 7.pgm
check "- reads standard input" [ "$(head -10 out)" = "$(head -10 piped)" ]

run "$program" summary --plan --device cpu --model lenet-valid
exits 0 '44,426'
check "stages end with advance" grep -q '^ *[0-9]*  advance$' out
run "$program" summary a
exits 0 '^dense1'

# ---- bench ----

bench() { run "$program" bench --model deep.net --device cpu --seconds 0 "$@"; }
bench --batch 2,3
exits 0 '^Device: CPU'
check "two batch sizes" [ "$(grep -c '^Batch [23], ' out)" = 2 ]
for stage in input1 dense1 dense2 softmax_xent1; do
    check "a line for $stage" grep -q "^$stage.* forward .* %" out
done
# 2 rows (784 x 10 forward, again for dw; 10 x 10 forward, again for dx and dw), two FLOP each
check "FLOP of the step" grep -q "^Batch 2, 0.1 MFLOP" out
check "images/s" [ "$(grep -c '^[0-9]* images/s, [0-9.]* s for 60000 (' out)" = 2 ]
check "nothing on stderr" [ ! -s err ]
bench --batch 2 --json --optimizer sgd --threads 2
exits 0 '"optimizer": "sgd"'
check "one kind of JSON" [ "$(head -c 1 out)" = '{' ]
check "exact FLOP" grep -q '"flops": 63920,$' out
check "stages" grep -q '"name": "advance"' out
bench --batch 2 --plain
exits 0 '^adam dense1..dense2 .* -$'
bench --device ref --batch 1
exits 0 '^Device: reference'
bench --model nowhere.net
exits 1 'nowhere.net'
run "$program" info
exits 0 '^mnist_gpu [0-9]'

# ---- check ----

run "$program" check --device ref
exits 0 '^[1-9][0-9]* passed, 0 failed$'
check "against differences" grep -q '^Against: central differences$' out
for op in conv relu maxpool dense batchnorm softmax_xent mse; do
    check "a line for $op" grep -q "^$op  *[1-9][0-9]*  *0 " out
done
run "$program" check --device cpu --only 'dense out=10 on 7x1x1 *' --verbose
exits 0 '^ok      dense: dense out=10 on 7x1x1 x257, integers: dw: max abs 0,'
check "no other case" not grep -q '^ok.*: dense out=[^1]' out
cp out first
run "$program" check --device cpu --only 'dense out=10 on 7x1x1 *' --verbose --against cpu --threads 1
exits 0 '^Against: CPU'
run "$program" check --device cpu --only 'dense out=10 on 7x1x1 *' --verbose --seed 2
exits 0
differ first out
run "$program" check --device cpu --only 'random net [12] *' --random-nets 2
exits 0 '^random net '
run "$program" check --device cpu --only nonsense
exits 1 'no case is named "nonsense"'
run "$program" check --against gpu
exits 2 '--against'

if command -v python3 >/dev/null; then
    "$program" check --device cpu --only adam --json | python3 -m json.tool >pretty
    code=$? last="check --json"
    check "check prints JSON" [ $code = 0 ]
    check "with records" grep -q '"of_tolerance"' pretty
    check "and a command for each" grep -q "mnist_gpu check --device cpu --seed 1 --only 'adam" pretty
    "$program" eval a --json | python3 -m json.tool >pretty
    code=$? last="eval --json"
    check "eval prints JSON" [ $code = 0 ]
    check "with a confusion matrix" grep -q '"confusion"' pretty
    "$program" predict --weights a --json --top 2 0.pgm noise 9.pgm 2>err | python3 -m json.tool >pretty
    code=$? last="predict --json"
    check "predict prints JSON" [ $code = 0 ]
    check "with errors" grep -q '"error"' pretty
    check "and results" [ "$(grep -c '"top"' pretty)" = 2 ]
else
    skip "JSON: python3 is not there"
fi

# ---- output that cannot be written, and terminals ----

"$program" summary 2>err | true
code=${PIPESTATUS[0]} last="summary | true"
check "a closed pipe is no news" [ ! -s err ]
"$program" train --data tiny --model tiny.net --epochs 300 --out piped_run 2>err | head -1 >out
code=${PIPESTATUS[0]} last="train | head -1"
check "training ends when nobody reads" [ "$code" = 1 ]
check "without a word" [ ! -s err ]
run "$program" train --resume piped_run --epochs 1 --quiet
exits 0
if [ -w /dev/full ]; then
    "$program" summary >/dev/full 2>err
    code=$? last="summary >/dev/full"
    exits 1 'standard output: cannot write: No space left'
fi
"$program" train --data tiny --model tiny.net --epochs 1 --out closed >&- 2>err
code=$? last="train >&-"
exits 1 'standard output'

if script -qec true /dev/null >/dev/null 2>&1; then
    TERM=xterm LC_ALL=C.UTF-8 script -qec \
        "'$program' predict --weights a 3.pgm; '$program' train --data tiny --model tiny.net --epochs 2 --out tty" \
        /dev/null >out 2>err </dev/null
    code=$? last="on a terminal"
    check "a progress bar" grep -q $'\r.*epoch 1/2 \\[.*ETA' out
    check "bars of blocks" grep -q '█' out
    check "colour" grep -q $'\033\\[1;32m' out
    NO_COLOR=1 TERM=xterm script -qec "'$program' predict --weights a 3.pgm" /dev/null >out </dev/null
    check "NO_COLOR" not grep -q $'\033' out
    TERM=dumb script -qec "'$program' train --resume tty --epochs 3" /dev/null >out </dev/null
    check "no bar on a dumb terminal" not grep -q 'ETA' out
else
    skip "terminals: script(1) is not there"
fi

# ---- real data ----

if [ -n "$real_data" ]; then
    run "$program" train --data "$real_data" --limit 2000 --epochs 1 --out real
    exits 0 '^test: [89][0-9.]* % ([0-9]* of 10000)'
else
    skip "real data: MNIST_GPU_DATA is not set"
fi

echo "$checks checks, $failures failed"
[ $failures = 0 ]
