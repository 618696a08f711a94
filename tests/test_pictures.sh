#!/usr/bin/env bash
# The pictures as users make them: curves, confusion matrix, grid, feature maps; in files and in
# characters. Usage: test_pictures.sh PROGRAM
set -u
[ $# = 1 ] || { echo "usage: $0 PROGRAM" >&2; exit 2; }
unset MNIST_GPU_DATA
# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh" "$1"

printf 'input 1x28x28\nconv out=3 kernel=5\nrelu\nmaxpool size=2\nconv out=2 kernel=3\ndense out=10\nsoftmax_xent\n' >conv.net
printf 'input 1x28x28\ndense out=10\nsoftmax_xent\n' >dense.net

# A picture as PNG needs cairo where it has lines.
cairo=false
if "$program" info | grep -q '^Optional:.*cairo'; then cairo=true; else skip "PNG of drawings: no cairo"; fi

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]; }
if command -v xmllint >/dev/null; then
    is_svg() { xmllint --noout "$1" && grep -q '<svg xmlns=' "$1"; }
elif python3 -c 'import xml.dom.minidom' 2>/dev/null; then
    is_svg() { python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1"; }
else
    skip "well-formed XML: neither xmllint nor Python"
    is_svg() { grep -q '<svg xmlns=' "$1" && tail -1 "$1" | grep -q '^</svg>$'; }
fi

# made FILE: it is there, of its kind, and nothing is left of its writing
made() {
    case $1 in
    *.png) check "$1 is a PNG" is_png "$1" ;;
    *.svg) check "$1 is an SVG" is_svg "$1" ;;
    esac
    check "no temporary file" [ -z "$(find . -name '*.tmp.*')" ]
}

evil='a<b>&"c'
run "$program" train --data tiny --model conv.net --device cpu --batch 10 --epochs 3 --out one --curves
exits 0
made one/curves.svg
if $cairo; then made one/curves.png; else check "no curves.png" [ ! -e one/curves.png ]; fi
run "$program" train --data tiny --model dense.net --device cpu --batch 10 --epochs 1 --val-split 0 --out "$evil"
exits 0
check "no curves unless asked for" [ ! -e "$evil/curves.svg" ]
run "$program" train --resume one --epochs 4 --curves --quiet
exits 0

run "$program" train --data tiny --model dense.net --device cpu --batch 10 --max-steps 2 --out short --curves
exits 0 '^no curves before the end of the first epoch$'
run "$program" plot short
exits 1 'short/metrics.csv: no epoch yet'

# ---- plot ----

run "$program" plot one
exits 0 '^saved: curves.svg$'
made curves.svg
for text in '>one<' '>Loss<' '>Accuracy (%)<' '>Epoch<' '>training<' '>validation<' '>best: epoch [1-4], [0-9.]* %<' '>4<'; do
    check "the picture says $text" grep -q "$text" curves.svg
done
run "$program" plot one "$evil" --metric loss --title '5 < 6 & "7"' --out both.svg
exits 0
made both.svg
check "names are escaped" grep -q '>a&lt;b&gt;&amp;"c<' both.svg
check "and the title" grep -q '>5 &lt; 6 &amp; "7"<' both.svg
check "one panel" not grep -q 'Accuracy' both.svg
run "$program" plot "$evil" --out novalidation.svg
exits 0
made novalidation.svg
check "no validation, no best epoch" not grep -q 'validation\|best' novalidation.svg
if $cairo; then
    run "$program" plot one "$evil" --out BOTH.PNG
    exits 0
    check "a PNG by capitals" is_png BOTH.PNG
else
    run "$program" plot one --out both.png
    exits 1 'both.png: this build draws no PNG.*\.svg works'
fi
mkdir -p runs same/one && cp -r one runs/latest && cp one/metrics.csv same/one
run "$program" plot --metric lr --out lr.svg
exits 0
check "of the latest run" grep -q '>latest<' lr.svg
run "$program" plot one same/one --out same.svg
exits 0
check "equal names are told apart by their paths" grep -q '>same/one<' same.svg

run "$program" plot one --out both.gif
exits 2 'both.gif: unknown kind of picture (expected .png or .svg)'
run "$program" plot one --metric nonsense
exits 1 'one/metrics.csv: no column "nonsense" (there are: loss, accuracy,'
run "$program" plot one missing
exits 1 missing/metrics.csv
run "$program" plot 1 2 3 4 5 6 7 8
exits 2 'one argument too many: "8"'
run "$program" plot one --out missing/x.svg
exits 1 missing/x.svg
run "$program" plot one --metric
exits 2 'value is missing'
mkdir hostile
head -c 1000 /dev/urandom >hostile/metrics.csv
run "$program" plot hostile
exits 1 hostile/metrics.csv
printf 'epoch,loss,accuracy\n1,2,3\n2,x,3\n' >hostile/metrics.csv
run "$program" plot hostile
exits 1 'hostile/metrics.csv:3: expected a number, found "x"'
rm curves.svg
run "$program" plot one --show
exits 0 '[*] best: epoch'
check "shown, not written" [ ! -e curves.svg ]
check "plain ASCII off a terminal" not grep -q '[^ -~]' out
check "at most 80 columns" not grep -q '.\{81\}' out

# ---- confusion matrix ----

run "$program" eval one --data tiny --confusion confusion.svg
exits 0 '^test: '
made confusion.svg
for text in '>True class<' '>Predicted class<' '>conv.net: [0-9.]* % of 20 test images<'; do
    check "the matrix says $text" grep -q "$text" confusion.svg
done
run "$program" eval one --data tiny --split val --confusion val.svg
exits 0
check "it names the split" grep -q 'of 10 validation images<' val.svg
if $cairo; then
    run "$program" eval one --data tiny --json --confusion confusion.png
    exits 0
    made confusion.png
fi
run "$program" eval one --data tiny --confusion confusion.pdf
exits 2 'confusion.pdf: unknown kind of picture'
check "found out before the work" [ ! -s out ]

# ---- grid ----

run "$program" grid one --data tiny --count 7
exits 0 '^saved: grid.png (7 test images)$'
made grid.png
run "$program" grid one --data tiny --out grid.svg --columns 4
exits 0 '(20 test images)'
made grid.svg
check "20 images" [ "$(grep -c '<image ' grid.svg)" = 20 ]
check "a caption each" [ "$(grep -c '<text ' grid.svg)" = 20 ]
"$program" eval one --data tiny --json >eval.json
wrong=$((20 - $(sed -n 's/.*"correct": \([0-9]*\).*/\1/p' eval.json)))
run "$program" grid one --data tiny --wrong --count 400 --out wrong.svg
if [ "$wrong" = 0 ]; then
    exits 1 'reads all 20 test images right'
else
    exits 0 "($wrong test images)"
    check "all of them red" [ "$(grep -c 'rect.*#d55e00' wrong.svg)" = "$wrong" ]
    sed -n 's/.*>\([0-9]*\) (\([0-9]*\)) \([0-9.]*\)%<.*/\3/p' wrong.svg >confidence
    check "captions name the true class" [ "$(wc -l <confidence)" = "$wrong" ]
    check "the most confident first" sort -C -g -r confidence
fi
run "$program" grid one --data tiny --count 4 --show
exits 0 '^[0-9 ().%]*%'
check "a picture in ASCII" grep -q '@@@' out
check "nothing else" not grep -q '[^ -~]' out
for value in 0 401 x; do
    run "$program" grid one --count $value
    exits 2 '--count: expected a whole number from 1 to 400'
done
run "$program" grid one --columns 21
exits 2 '--columns: expected'
run "$program" grid one --out grid.jpg
exits 2 'grid.jpg: unknown kind'
run "$program" grid one two
exits 2 'too many'
run "$program" grid missing
exits 1 missing

# ---- feature maps and filters ----

run "$program" features 3.pgm --weights one --out maps --filters
exits 0 '^maps/conv1.png: 3 maps of 24x24, output of relu1$'
check "the other layer" grep -q '^maps/conv2.png: 2 maps of 10x10, output of conv2$' out
for name in conv1 conv1-filters conv2 conv2-filters; do made maps/$name.png; done
run "$program" features 3.pgm --weights one
exits 0
same conv1.png maps/conv1.png
check "filters only if asked for" [ ! -e conv1-filters.png ]
run "$program" features 3.pgm --weights one --out nowhere --show
exits 0
check "a map in ASCII" grep -q '@@@@' out
rm conv1.png
run "$program" features 3.pgm --weights one --show
exits 0
check "shown, not written" [ ! -e conv1.png ]
run "$program" features 3.pgm --weights "$evil"
exits 1 'the model has no conv layer'
run "$program" features missing.png --weights one
exits 1 missing.png
run "$program" features 3.pgm --weights one --out 3.pgm/x
exits 1 3.pgm
run "$program" features
exits 2 'argument is missing'
run "$program" features 3.pgm 4.pgm
exits 2 'too many'

# ---- in the terminal ----

run "$program" predict 3.pgm --weights one --show --top 1
exits 0
check "what the network sees" grep -q '@@@@' out
run "$program" predict 3.pgm --weights one --show --json
exits 2 'not both'

# on_terminal VARIABLE=VALUE... COMMAND: with a terminal for stdout
if command -v script >/dev/null && locale -a 2>/dev/null | grep -qi '^C.utf-\?8$'; then
    on_terminal() { run script -qec "env TERM=xterm-256color LC_ALL=C.UTF-8 $*" /dev/null; }
    on_terminal COLORTERM=truecolor "'$program'" predict 3.pgm --weights one --show
    check "24-bit colours" grep -q $'\033\\[38;2;255;255;255m\033\\[48;2;.*▀' out
    on_terminal COLORTERM= "'$program'" predict 3.pgm --weights one --show
    check "256 colours" grep -q $'\033\\[38;5;231m\033\\[48;5;.*▀' out
    on_terminal NO_COLOR=1 "'$program'" predict 3.pgm --weights one --show
    check "no colours" not grep -q $'\033' out
    on_terminal COLORTERM= "'$program'" plot one --show
    check "braille" grep -q '⠤' out
    on_terminal LC_ALL=C "'$program'" plot one --show
    check "ASCII where the locale is not UTF-8" not grep -q '⠤' out
else
    skip "pictures in a terminal: no script(1) or no UTF-8 locale"
fi

echo "$checks checks, $failures failed"
[ $failures = 0 ]
