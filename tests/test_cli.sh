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
for command in train eval predict plot grid features summary recipes speedrun bench check info data; do
    check "--help lists $command" grep -q "^  $command " out
done
for command in train eval predict plot grid features summary recipes speedrun bench check info data; do
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
    run "$program" train --batch "$value"
    exits 2 'expected a whole number from 1 to 65536'
done
for value in 0 -1 0x10 5x '' 2147483648 nan; do
    run "$program" train --epochs "$value"
    exits 2 '--epochs: expected a number above 0 to 2147483647'
done
for value in 0 -0.1 nan inf 0x1p-3 0,001 1e999 x '' '1 '; do
    run "$program" train --lr "$value"
    exits 2 '--lr: expected a number above 0'
done
for value in 1 -0.1 2; do
    run "$program" train --val-split $value
    exits 2 'expected a number from 0 to below 1'
done
for option in momentum beta1 beta2 rho; do
    for value in 1 -0.1 nan x ''; do
        run "$program" train --$option "$value"
        exits 2 "--$option: expected a number from 0 to below 1"
    done
done
for option in eps weight-decay clip-norm clip-value lr-gamma lr-min min-delta; do
    for value in -0.1 inf 1e999 x ''; do
        run "$program" train --$option "$value"
        exits 2 "--$option: expected a number from 0"
    done
done
for option in lr-step lr-patience warmup patience; do
    for value in -1 1.5 99999999999999999999 x ''; do
        run "$program" train --$option "$value"
        exits 2 "--$option: expected a whole number from"
    done
done
run "$program" train --lr-step 0
exits 2 '--lr-step: expected a whole number from 1'
run "$program" train --schedule lin
exits 2 'known: constant, step, exponential, cosine, linear, one-cycle, plateau'
run "$program" train --monitor test_loss
exits 2 'known: val_accuracy, val_loss, accuracy, loss'
run "$program" train --=1
exits 2 'unknown option'
run "$program" bench --optimizer adagrad
exits 2 'known: adam, sgd, adamw, rmsprop'
train --nesterov
exits 2 'nesterov: it needs the optimizer sgd'
train --clip-norm 1 --clip-value 1
exits 2 'at most one of them'
train --patience 2 --val-split 0
exits 2 'val_accuracy needs validation images'
train --warmup 1000 --epochs 1
exits 2 "less than the training's 13 steps, found 1000"
train --lr-min 0.1
exits 2 'lr_min: expected 0 to lr'
for value in -1 18446744073709551616 ''; do
    run "$program" train --seed "$value"
    exits 2 '--seed: expected a whole number from 0 to'
done
run "$program" train --batch-size 65537
exits 2 '--batch: expected'
for value in 3 -1 x '' 1.0; do
    run "$program" train --verbose "$value"
    exits 2 '--verbose: expected a whole number from 0 to 2'
done
for value in foo best,foo best,best 'best,' ',best' 'best last' BEST; do
    run "$program" train --save "$value"
    exits 2 '--save: expected a list of best, last and epoch, each once, found'
done
run "$program" train --save ''
exits 2 '--save: the value is empty'
run "$program" train --save epoch --keep -1
exits 2 '--keep: expected a whole number'
run "$program" train --keep 3
exits 2 '--keep needs --save epoch'
run "$program" train --quiet --verbose 0
exits 2 'either --quiet or --verbose'
for value in foo affine:-1 affine:x affine:4 affine, all:nan; do
    run "$program" train --augment "$value"
    exits 2 'augmentation: '
done
run "$program" train --augment ''
exits 2 '--augment: the value is empty'
run "$program" data preview --augment foo
exits 2 'unknown kind "foo" (known: affine,'
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
for file in config.json metrics.csv metrics.jsonl best.safetensors last.safetensors \
    state.safetensors log.txt; do
    check "a/$file is there" [ -s a/$file ]
done
check "and nothing else" [ "$(echo a/* | wc -w)" = 7 ]
for line in '^ *Images  *Loss  *Accuracy$' '^train  *90  *[0-9.]*  *[0-9.]* %$' '^val  *10 ' \
    '^test  *20 ' '^train - test  *[+-][0-9.]*  *[+-][0-9.]* points$'; do
    check "stdout has '$line'" grep -q -- "$line" out
done
same <(sed '1d;$d' a/log.txt) out # the log is what was printed, and when
stamp='20[0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] [+-][0-9]*'
check "the log begins with the command line" [ "$(sed -n "1s/^$stamp  mnist_gpu [0-9.]*: //p" a/log.txt)" = \
    "mnist_gpu train --data tiny --model tiny.net --device cpu --batch 7 --epochs 4 --out a" ]
check "and ends" grep -q "^$stamp  finished$" a/log.txt
check "metrics.csv has a header and 4 epochs" [ "$(wc -l <a/metrics.csv)" = 5 ]

train --epochs 4 --out a
exits 2 'holds a run already'
train --epochs 4 --out b --quiet --threads 1
exits 0
check "--quiet prints two lines" [ "$(wc -l <out)" = 2 ]
check "but the log has the epochs" [ "$(grep -c '^epoch ' b/log.txt)" = 4 ]
train --epochs 4 --out "it's 0" --verbose 0
exits 0
check "--verbose 0 prints two lines" [ "$(wc -l <out)" = 2 ]
check "words are quoted" grep -q " --out 'it'\\\\''s 0' --verbose 0$" "it's 0/log.txt"
train --epochs 4 --out v2 --verbose 2
exits 0
check "--verbose 2 prints a line per epoch" [ "$(grep -c '^epoch ' out)" = 4 ]
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
exits 1 'epoch 1, step [0-9]*: the loss is not finite (.*lower learning rate than 1e+30'
check "it says where that began" grep -q '; first in step [0-9]*: the output of [a-z]*[0-9],' err
check "and what is left" grep -q 'image [0-9]* of the batch, is [a-z]*; .*; wild keeps epoch 0$' err
check "the log says why it ended" grep -q "^$stamp  .*not finite" wild/log.txt
run "$program" eval wild --data tiny
exits 0
train --out /dev/null/x
exits 1 '/dev/null'
train --limit 1 --val-split 0.5
exits 1 'no training images left'

# ---- models changed by options, recipes ----

train --loss 'softmax_xent # with a comment' --normalize raw --epochs 1 --quiet --out raw
exits 0
check "the model was changed" grep -q 'input 1x28x28 mean=0 std=0.00392156862745098\\n' raw/config.json
train --normalize 0.5,0.25 --epochs 1 --quiet --out half
exits 0
check "the model was changed" grep -q 'input 1x28x28 mean=0.5 std=0.25\\n' half/config.json
for value in 3 raw,1 0.5, 0.5,0 0.5,-1 nan,1 0.5,nan 0.5,1x ''; do
    train --normalize "$value" --out no
    exits 2 '--normalize: '
done
train --loss relu --out no
exits 1 'the last layer'
train --loss foo --out no
exits 1 'tiny.net:3: unknown layer "foo"'
train --loss $'relu\nsoftmax_xent' --out no
exits 2 'one line'
check "nothing is left behind" [ ! -e no ]

run "$program" recipes --json
exits 0 '"published": "98.72 % (validation)"'
run "$program" recipes
exits 0 '^keras-lenet5: .* 98.72 %'
recipes=$(sed -n 's/^\([a-z0-9-]*\): .*/\1/p' out)
check "seven recipes" [ "$(echo "$recipes" | wc -l)" = 7 ]
for recipe in $recipes; do
    run "$program" train --recipe "$recipe" --data tiny --device cpu --limit 8 --batch 2 --epochs 1 --warmup 0 \
        --quiet --out "of-$recipe"
    exits 0
    check "options override the recipe" grep -q '"batch": 2,' "of-$recipe/config.json"
done
check "the recipe's options" grep -q '"model_name": "lenet-valid"' of-go-lenet/config.json
check "the recipe's loss" grep -q '\\nmse\\n' of-go-lenet/config.json
run "$program" train --recipe keras-lenet --out no
exits 2 'no recipe "keras-lenet" (nearest: keras-lenet5; known: go-lenet'
run "$program" train --recipe go-lenet --resume a
exits 2 'cannot be changed with --resume'

# ---- speedrun ----

speedrun() {
    run "$program" speedrun --data tiny --model tiny.net --device cpu --batch 8 --lr 0.001 --warmup 3 \
        --epochs 1.4 "$@"
}
run "$program" speedrun --help
exits 0 '--batch N .*\[256\]'
speedrun --seeds 3 --seed 7
exits 0 '^training loop: mean [0-9.]* s, median .*; 18 steps$'
check "a line for each seed" [ "$(grep -c '^ *[789]  *[0-9.]* %  *[0-9.]*  *[0-9.]*  *[0-9.]*$' out)" = 3 ]
check "the process" grep -q '^process:  *[0-9.]* s from its start' out
check "nothing on stderr" [ ! -s err ]
speedrun --seeds 2 --json
exits 0 '"reached": [012],'
correct=$(sed -n 's/.*"correct": \([0-9]*\),/\1/p' out | tail -n 1)
run "$program" train --recipe speedrun --data tiny --model tiny.net --device cpu --batch 8 --lr 0.001 \
    --warmup 3 --epochs 1.4 --seed 2 --quiet --out of-seed-2
exits 0 "^test: .* ($correct of 20)"
speedrun --warmup 18
exits 2 "seed 1: warmup: expected less than the training's 18 steps"
speedrun --normalize raw
exits 2 'unknown option "--normalize"'

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

# ---- what is kept ----

weights() { (cd "$1" && echo ./*.safetensors); }
train --epochs 4 --out k1 --save last --quiet
exits 0 '^saved: k1/last.safetensors (epoch 4)$'
check "last alone" [ "$(weights k1)" = "./last.safetensors ./state.safetensors" ]
same a/last.safetensors k1/last.safetensors
run "$program" eval k1
exits 0 '^Weights: k1/last.safetensors'
train --epochs 3 --out k2 --save epoch --keep 2 --tensorboard --quiet
exits 0 '^saved: k2/epoch-0003.safetensors (epoch 3)$'
check "the last two" [ "$(weights k2)" = "./epoch-0002.safetensors ./epoch-0003.safetensors ./state.safetensors" ]
run "$program" train --resume k2 --epochs 4 --quiet
exits 0 '^saved: k2/epoch-0004.safetensors (epoch 4)$'
check "resuming keeps to it" [ "$(weights k2)" = "./epoch-0003.safetensors ./epoch-0004.safetensors ./state.safetensors" ]
same a/last.safetensors k2/epoch-0004.safetensors
run "$program" predict --weights k2 3.pgm
exits 0
for file in k2/train/events.out.tfevents k2/validation/events.out.tfevents; do
    check "$file has four epochs" [ "$(grep -ao epoch_loss $file | wc -l)" = 4 ]
done
train --epochs 4 --out k3 --save best,epoch --max-steps 20 --quiet
exits 0 '^saved: k3/best.safetensors'
check "all epochs" [ "$(weights k3)" = "./best.safetensors ./epoch-0001.safetensors ./state.safetensors" ]
train --epochs 4 --out k4 --save best --max-steps 2 --quiet
exits 0 '^saved: k4 (no weights: no epoch has ended)$'
run "$program" eval k4
exits 1 'k4: no weights'
run "$program" train --resume k4 --save last
exits 2 '--save cannot be changed'
run "$program" train --resume k4 --max-steps 0 --tensorboard --verbose 2
exits 0 '^epoch 4/4 '
same a/best.safetensors k4/best.safetensors
check "event files begin late" [ "$(grep -ao epoch_loss k4/train/events.out.tfevents | wc -l)" = 4 ]
check "the log has both parts" [ "$(grep -c "^$stamp  " k4/log.txt)" = 4 ]
check "and one of each epoch" [ "$(grep -c '^epoch ' k4/log.txt)" = 4 ]
printf 'epoch 9/9  lo' >>k4/log.txt # a kill
run "$program" train --resume k4 --quiet
exits 0
check "no half lines" not grep -q 'epoch 9' k4/log.txt
# Resumed from the middle of an epoch, with all that an update and a schedule may have.
resume_as_one() {
    local name=$1
    shift
    train --epochs 4 --quiet --out "$name" "$@"
    exits 0
    train --epochs 4 --max-steps 30 --quiet --out "${name}_half" "$@"
    exits 0
    run "$program" train --resume "${name}_half" --max-steps 0 --quiet
    exits 0
    same "$name/last.safetensors" "${name}_half/last.safetensors"
    same "$name/best.safetensors" "${name}_half/best.safetensors"
}
resume_as_one adamw --optimizer adamw --weight-decay 0.1 --clip-norm 1 --schedule cosine --warmup 5
resume_as_one nesterov --optimizer sgd --momentum 0.9 --nesterov --clip-value 0.1 --schedule one-cycle
resume_as_one rmsprop --optimizer rmsprop --rho 0.8 --schedule plateau --monitor loss --lr-patience 0

train --epochs 1.5 --schedule linear --out one-and-a-half
exits 0 '^epoch 2/2 '
check "its length is kept" grep -q '"epochs": 1.5' one-and-a-half/config.json
run "$program" train --resume one-and-a-half --epochs 3
exits 1 'its last epoch was a shorter one'

train --epochs 9 --patience 2 --min-delta 1 --out early
exits 0 '^stopped early: no better val_accuracy in 2 epochs$'
check "three epochs" [ "$(grep -c '^epoch ' out)" = 3 ]
check "the first is the best, or equal to the best" grep -q '^saved: early/best.safetensors (epoch [123])$' out
run "$program" train --resume early
exits 0 '^This run is finished already: it stopped early.$'
check "nothing is trained" not grep -q '^epoch ' out
train --epochs 4 --augment affine:0.5,noise --out augmented
exits 0 '^Augmentation: affine:0.5,noise$'
differ a/last.safetensors augmented/last.safetensors
train --epochs 4 --augment affine:0.5,noise --max-steps 20 --quiet --out augmented_part
run "$program" train --resume augmented_part --max-steps 0
exits 0 '^Augmentation: affine:0.5,noise$'
same augmented/last.safetensors augmented_part/last.safetensors
run "$program" train --resume augmented --augment all
exits 2 '--augment cannot be changed'

# Not the run's own: a pixel or a label, a count, another run's state, an option, an older config.
refuses_to_resume() { # TEXT [OPTION...]
    cp -r augmented_part other
    [ -z "${edit:-}" ] || sed -i "$edit" other/config.json
    [ -z "${state:-}" ] || cp "$state/state.safetensors" other
    run "$program" train --resume other --max-steps 0 "${@:2}"
    exits 1 "$1"
    same other/best.safetensors augmented_part/best.safetensors
    rm -r other
}
for file in images-idx3 labels-idx1; do
    cp -r tiny touched
    size=$(wc -c <touched/train-$file-ubyte)
    last=$(tail -c 1 touched/train-$file-ubyte | od -An -tu1)
    printf "\\x$(printf %x $((last == 1 ? 2 : 1)))" |
        dd of=touched/train-$file-ubyte bs=1 seek=$((size - 1)) conv=notrunc 2>/dev/null
    refuses_to_resume 'touched: other images or labels than the run began with (CRC-32' --data touched
    rm -r touched
done
state=d refuses_to_resume 'other/state.safetensors: it is of a training with "seed" "2", config.json has "1"'
edit='s/"batch": 7/"batch": 14/' refuses_to_resume 'a training with "batch" 7, config.json has 14'
edit='s/"epochs"/"epochen"/' refuses_to_resume 'other/config.json: unknown key "epochen"'
edit='s/"format": 1/"format": 2/' refuses_to_resume 'other/config.json: "format" is 2, this program reads 1'
cp -r augmented_part older
sed -i '/"beta1"\|"format"\|"data_crc32"/d' older/config.json
run "$program" train --resume older --epochs 5
exits 0 '^config.json is of an older version: by default are beta1, data_crc32$'
check "from now on they are there" grep -q '"beta1": 0.9,' older/config.json

# interrupt SIGNAL CODE: a run of 300 epochs, stopped after a few and resumed, against an unbroken one
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
    exits "$2" "mnist_gpu train --resume $1"
    check "stopped before the end" not grep -q '^epoch 300/' out
    check "the log says so" grep -q "^$stamp  interrupted, all is saved" "$1/log.txt"
    run "$program" train --resume "$1" --quiet
    exits 0
    same whole/best.safetensors "$1/best.safetensors"
    same whole/last.safetensors "$1/last.safetensors"
    check "the log has every epoch once" [ "$(grep -o '^epoch [0-9]*' "$1/log.txt" | sort -u | wc -l)" = 300 ]
    check "and no other" [ "$(grep -c '^epoch ' "$1/log.txt")" = 300 ]
}
interrupt INT 130
interrupt TERM 143
interrupt HUP 129

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
run "$program" eval a --split all
exits 0 '^val  *10 '
same <(grep '^train  \|^val  \|^test  \|^train - test' a/log.txt) <(grep '^t\|^v' out)
run "$program" eval a/best.safetensors --split all --data tiny
exits 0 '^train  *100 '
check "no validation without a run" not grep -q '^val' out
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

mkdir pictures
cp 3.pgm pictures/b.pgm
cp 5.pgm pictures/A.PGM
printf 'no picture' >pictures/notes.txt
run "$program" predict --weights a pictures
exits 0 '^pictures/A.PGM: [0-9] ([0-9.]* %)$'
check "a line for each picture of a directory, by name" [ "$(tail -1 out | cut -d: -f1)" = pictures/b.pgm ]
check "no bars for many" [ "$(wc -l <out)" = 2 ]
run "$program" predict --weights a 'pictures/*.p?m'
exits 0 '^pictures/b.pgm: [0-9] ([0-9.]* %)$'
run "$program" predict --weights a 'pictures/*.gif'
exits 1 'no file matches'
mkdir no_pictures
run "$program" predict --weights a no_pictures
exits 1 'no picture in it'
run "$program" predict --weights a 3.pgm --min-confidence 1
exits 0 '^3.pgm: not sure ([0-9] at [0-9.]* %)$'
run "$program" predict --weights a 3.pgm --min-confidence 1.1
exits 2 '--min-confidence: expected'
run "$program" predict --weights a 3.pgm --raw --invert yes --show --save-input seen.png
exits 0 '@@@@@@@@@@'
run "$program" predict --weights a seen.png --raw --save-input again.png
exits 0
same seen.png again.png
run "$program" predict --weights a 3.pgm --multi --raw
exits 2 '--multi is for'
run "$program" predict --weights a 3.pgm --json --show
exits 2 'not both'
run "$program" predict --weights a 3.pgm --invert maybe
exits 2 '--invert: no choice'

# a row of two bars, one above the other's height
{
    printf 'P5\n120 40\n255\n'
    for ((y = 0; y < 40; y++)); do
        if ((y >= 10 && y < 30)); then printf '%40s%4s%40s%4s%32s' '' @@@@ '' @@@@ ''; else printf '%120s' ''; fi
    done | tr ' @' '\377\000'
} >row.pgm
run "$program" predict --weights a row.pgm --multi
exits 0 '^row.pgm: [0-9][0-9]$'
check "their boxes" grep -q '^  4x20 at 84,10: ' out

printf 'no\nyes\n' >a/classes.txt
run "$program" predict --weights a 3.pgm
exits 1 'a/classes.txt: 2 names, expected one for each of 10'
printf 'no\n\33[2Jyes\n' >a/classes.txt
run "$program" predict --weights a 3.pgm
exits 1 'a/classes.txt:2: a control character in the name "?\[2Jyes"'
printf '%s\r\n' zero one two three four five six seven eight nine >a/classes.txt
run "$program" predict --weights a 3.pgm --top 1
exits 0 '^3.pgm: [a-z]* ([0-9.]* %)$'
rm a/classes.txt

run "$program" summary --plan --device cpu --model lenet-valid
exits 0 '44,426'
check "clipping by norm is no stage of its own" not grep -q 'clip norm' out
run "$program" summary --plan --device cpu --model lenet-valid --clip-norm 1 --optimizer rmsprop
exits 0 '^ *[0-9]*  clip norm$'
check "one optimizer stage" grep -q '^ *[0-9]*  rmsprop conv1..dense3$' out
check "stages end with advance" grep -q '^ *[0-9]*  advance$' out
run "$program" summary a
exits 0 '^dense1'
run "$program" summary --model deep.net --batch 2 # 4 FLOP a weight and image, 6 with a dx
exits 0 '^Training with adam, batches of 2$'
check "work and memory of a layer" grep -q '^dense1  *62,720  *31.7 kB  *31.7 kB  *63.5 kB  *512 B$' out
check "and of all" grep -q '^total  *63,920  *32.5 kB ' out
run "$program" summary --optimizer adamm
exits 2 '--optimizer: no choice "adamm"'
for value in 0 -1 65537 x ''; do
    run "$program" summary --batch "$value"
    exits 2 '--batch: expected a whole number from 1 to 65536'
done

# ---- augmented images ----

preview() { run "$program" data preview --data tiny --count 35 "$@"; }
preview --device cpu --out cpu.pgm
exits 0 '^saved: cpu.pgm$'
check "4 rows of 10 images" [ "$(head -c 14 cpu.pgm | tr '\n' ' ')" = 'P5 289 115 255' ]
preview --device ref --out ref.pgm
same cpu.pgm ref.pgm
preview --device cpu --seed 2 --out other.pgm
differ cpu.pgm other.pgm
preview --augment all:0 --out plain.pgm
exits 0
preview --out missing/sheet.pgm
exits 1 'missing/sheet.pgm'

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
bench --batch 2 --kernels cudnn
exits 0 '^adam dense1..dense2 .* -$'
bench --batch 2 --kernels fused
exits 2 'batch 2: dense2: no fused kernels for it on cpu'
bench --batch 2 --augment all
exits 0 '^input1 forward'
bench --augment foo
exits 2 'unknown kind "foo"'
bench --device ref --batch 1
exits 0 '^Device: reference'
bench --json --batch 1
exits 0 '"eager_seconds": null'
run "$program" bench --startup --data tiny --model deep.net --device cpu --batch 40
exits 0 '^first step done [0-9.]* s after'
for lap in 'program loaded' 'device opened' 'images read' 'first step (' 'third step'; do
    check "a line for $lap" grep -q "^$lap.* [0-9.]*  *[0-9.]*$" out
done
check "nothing of CUDA on the CPU" not grep -q '^CUDA\|^driver' out
run "$program" bench --startup --data tiny --model deep.net --device cpu --batch 100 --json
exits 0 '"first_step_seconds": [0-9.]*'
check "an epoch of one step" not grep -q 'second step' out
bench --startup
exits 2 'no --seconds'
bench --data tiny
exits 2 '--data needs --startup'
run "$program" bench --startup --batch 1,2
exits 2 'one --batch'
bench --model nowhere.net
exits 1 'nowhere.net'
run "$program" info
exits 0 '^mnist_gpu [0-9]'

# ---- kernels: fused, and layer by layer ----

printf 'input 1x28x28\nconv out=2 kernel=3\nrelu\nmaxpool size=2\ndense out=10\nrelu\nsoftmax_xent\n' >whole.net
kernels() { run "$program" train --data tiny --device cpu --model whole.net --epochs 2 --batch 10 --quiet "$@"; }
for k in auto fused cudnn; do
    run "$program" summary --model whole.net --plan --device cpu --kernels $k
    exits 0 '^ *2  conv1'
    cp out plan-$k
    kernels --kernels $k --out kernels-$k
    exits 0 '^test: '
    check "recorded" grep -q "\"kernels\": \"$k\"" kernels-$k/config.json
done
check "fused groups" grep -q 'dense1..relu2 backward (dense+relu)' plan-fused
same plan-auto plan-fused
check "layer by layer" not grep -q 'ward (' plan-cudnn
same kernels-auto/last.safetensors kernels-fused/last.safetensors
differ kernels-auto/last.safetensors kernels-cudnn/last.safetensors
kernels --kernels cudnn --max-steps 5 --out kernels-resumed
run "$program" train --resume kernels-resumed --max-steps 0 --quiet
exits 0 '^test: '
same kernels-cudnn/last.safetensors kernels-resumed/last.safetensors
run "$program" train --resume kernels-resumed --kernels fused --quiet # which is finished
exits 0
run "$program" train --resume kernels-fused --epochs 3 --device ref --quiet
exits 2 'conv1: no fused kernels for it on ref'
sed -i 's/"kernels": "fused"/"kernels": "magic"/' kernels-fused/config.json
run "$program" train --resume kernels-fused --epochs 3 --quiet
exits 2 'no kernels "magic" (known: auto, fused, cudnn)'
for device in cpu ref; do
    run "$program" eval kernels-cudnn --data tiny --device $device --kernels fused
    [ $device = cpu ] && exits 0 '^test: '
    [ $device = ref ] && exits 2 'conv1: no fused kernels for it on ref'
done
run "$program" predict --weights kernels-cudnn --device cpu --kernels cudnn 3.pgm
exits 0
run "$program" check --device cpu --kernels cudnn --only 'adam*' --random-nets 0
exits 0 ', 0 failed$'

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
    "$program" summary --model deep.net --batch 2 --json --plan --device cpu | python3 -c '
import json, sys
found = json.load(sys.stdin)
assert [l["output"] for l in found["layers"]] == [[1, 28, 28]] + 4 * [[10, 1, 1]], found
assert sum(l["parameters"] for l in found["layers"]) == found["total"]["parameters"] == 7960, found
assert found["total"]["step_flops"] == 63920, found
assert found["plan"]["stages"][-1] == "advance", found'
    code=$? last="summary --json"
    check "summary prints JSON" [ $code = 0 ]
    "$program" eval a --split all --json | python3 -c '
import json, sys
found = json.load(sys.stdin)
train, val, test = found["splits"]
assert [train["split"], val["count"], test["split"]] == ["train", 10, "test"], found
assert abs(train["accuracy"] - test["accuracy"] - found["gap"]["accuracy"]) < 1e-6, found'
    code=$? last="eval --split all --json"
    check "eval prints all splits as JSON" [ $code = 0 ]
    "$program" predict --weights a --json --top 2 0.pgm noise 9.pgm 2>err | python3 -m json.tool >pretty
    code=$? last="predict --json"
    check "predict prints JSON" [ $code = 0 ]
    check "with errors" grep -q '"error"' pretty
    check "and results" [ "$(grep -c '"top"' pretty)" = 2 ]
else
    skip "JSON: python3 is not there"
fi

# ---- data tools and the built-in digits ----

for action in download synth verify stats import export; do
    check "data --help lists $action" grep -q "^  $action " <("$program" data --help)
    run "$program" data $action --help
    exits 0 "^Usage: mnist_gpu data $action"
    run "$program" data $action --nonsense
    exits 2 'unknown option "--nonsense"'
done
run "$program" data synth --out drawn --count 300 --test-count 50 --seed 3
exits 0 '300 training and 50 test images of synthetic digits are in drawn'
run "$program" data synth
exits 2 '--out is missing'
run "$program" data synth --out drawn --count 0
exits 2 'whole number from 1'
run "$program" data verify drawn
exits 0 '^train: 300 images of 1 x 28 x 28, labels 0 to 9$'
run "$program" data verify drawn --set mnist
exits 1 "drawn/train-images-idx3-ubyte: not a file of mnist"
run "$program" data verify hollow
exits 1 'none of train-images-idx3-ubyte'
cp -r drawn broken && truncate -s -1 broken/t10k-images-idx3-ubyte
run "$program" data verify broken
exits 1 'broken/t10k-images-idx3-ubyte: cut short'
rm broken/t10k-images-idx3-ubyte
run "$program" data verify broken
exits 1 'broken: none of t10k-images-idx3-ubyte'
run "$program" data stats tiny --grid sheet.png --columns 5
exits 0 '^train: 100 images of 1 x 28 x 28, mean 0.1429, std 0.3499'
check "ten images of each class" [ "$(grep -c '^  class .* 10  *10.0 %$' out)" = 10 ]
check "a sheet of images" [ "$(head -c 24 sheet.png | tail -c 8 | od -An -tx1 | tr -d ' ')" = 0000009000000121 ]
run "$program" data stats tiny --show
exits 0 '^test: '
check "the images in characters, as wide as the terminal" [ "$(grep -c '^.\{80\}$' out)" = 81 ]
check "ink dark on white" [ "$(grep -c "^ *$" out)" -gt 40 ]
run "$program" data stats tiny --show --columns 1
check "an image a row" [ "$(grep -c '^.\{28\}$' out)" = 145 ]
run "$program" data stats tiny --show --json
exits 2 'either --json or --show, not both'
run "$program" data stats tiny --grid sheet.gif
exits 2 'sheet.gif: expected a name ending in .png or .pgm'
for format in png pgm; do
    run "$program" data export drawn --out pictures-$format --format $format
    exits 0 '300 pictures are in'
    run "$program" data import pictures-$format --out again-$format
    exits 0 '300 training images of 1 x 28 x 28, 10 classes'
done
same again-png/train-images-idx3-ubyte again-pgm/train-images-idx3-ubyte
run "$program" data export again-png --out pictures-again --format pgm
exits 0
contents() { cat "$1"/"$2"/* | tr -d '\n' | wc -c && md5sum "$1"/"$2"/* | cut -d' ' -f1 | sort; }
for class in 0 5 9; do
    check "class $class comes back" cmp -s <(contents pictures-pgm $class) <(contents pictures-again $class)
done
run "$program" data import drawn --out turned --transpose
exits 0 '50 test images'
run "$program" data import turned --out turned-back --transpose
exits 0
same drawn/train-images-idx3-ubyte turned-back/train-images-idx3-ubyte
differ drawn/train-images-idx3-ubyte turned/train-images-idx3-ubyte
printf '5,0,1,2,3\n6,4,5,6,7\n' >set.csv
run "$program" data import set.csv --split test --out of-csv
exits 0 'of-csv: 2 test images of 1 x 2 x 2, 7 classes'
mkdir -p named/cat named/dog && cp 0.pgm named/cat/ && cp 1.pgm named/dog/
run "$program" data import named --out of-names
exits 0 '2 training images'
check "names of classes" [ "$(tr '\n' ' ' <of-names/classes.txt)" = 'cat dog ' ]
run "$program" data import named --out of-names --digits --size 20
exits 2 'either --digits or --size'
for file in noise empty hollow missing /dev/null; do
    run "$program" data import $file --out of-nonsense
    exits 1 "$file"
done
check "nothing is written of nonsense" [ ! -e of-nonsense ]

# No data, no network (a proxy that nobody listens at): the built-in digits, and they are named.
mkdir away && cd away || exit 1
export https_proxy=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9
run "$program" train --model ../tiny.net --epochs 1 --limit 500 --out run
exits 0
check "two lines at most say so" [ "$(wc -l <err)" -le 2 ]
check "stderr names the built-in digits" grep -q 'training on the built-in synthetic digits' err
check "and the header" grep -q '^Data: *synthetic digits: 450 training, 50 validation, 10000 test' out
check "and the weights" grep -qa '"data":"synthetic digits"' run/best.safetensors
run "$program" summary run
exits 0 '^Trained on: synthetic digits$'
run "$program" eval run
exits 0 '^Data: *synthetic digits$'
check "eval needs no search" [ ! -s err ]
run "$program" train --resume run --epochs 2 --quiet
exits 0
check "nor has --resume" [ ! -s err ]
run "$program" train --data synth --model ../tiny.net --epochs 2 --limit 500 --quiet --out same
exits 0
same run/last.safetensors same/last.safetensors
run "$program" train --data synth --model lenet-valid --epochs 2 --limit 4000 --quiet --out learned
exits 0 '^test: [89][0-9.]* % ([0-9]* of 10000)'
run "$program" train --data mnist --model ../tiny.net --epochs 1 --out insisted
check "--data mnist insists" [ "$code" = 1 ]
check "it leaves no run" [ ! -e insisted ]
MNIST_GPU_DATA=$work/missing run "$program" train
exits 1 missing
if "$program" info | grep -q '^Optional:.*libcurl'; then
    for set in fashion kmnist; do
        run "$program" data download --set $set --mirror http://127.0.0.1:9/first --out sets/$set
        exits 1 "train-images-idx3-ubyte.gz: no mirror has it: http://127.0.0.1:9/first/.*/$set[-/]"
    done
else
    skip "data download: no libcurl"
fi
unset https_proxy http_proxy
cd "$work" || exit 1

# ---- output that cannot be written, and terminals ----

"$program" summary 2>err | true
code=${PIPESTATUS[0]} last="summary | true"
check "a closed pipe is no news" [ ! -s err ]
"$program" train --data tiny --model tiny.net --epochs 300 --out piped_run 2>err | head -1 >out
code=${PIPESTATUS[0]} last="train | head -1"
exits 141 'interrupted, all is saved; to go on: mnist_gpu train --resume piped_run'
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
    TERM=xterm script -qec "'$program' train --resume tty --epochs 4 --verbose 2" /dev/null >out </dev/null
    check "--verbose 2 has no bar" not grep -q 'ETA' out
    check "but a line per epoch" grep -q '^epoch 4/4 ' out
    TERM=dumb script -qec "'$program' train --resume tty --epochs 5" /dev/null >out </dev/null
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
