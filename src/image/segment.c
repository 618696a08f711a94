/* Several digits in a row: pieces above one another are one digit, small ones join a neighbour, and
 * what is much wider than tall is cut where its ink is thinnest. */
#include "image/ink.h"
#include <assert.h>
#include <stdlib.h>

enum { MAX_DIGITS = 256 };

static int by_left(const void *a, const void *b)
{
    const mg__blob *const *p = a, *const *q = b;
    return ((*p)->box.x0 > (*q)->box.x0) - ((*p)->box.x0 < (*q)->box.x0);
}

/* Columns that both have. */
static int64_t overlap(mg__box a, mg__box b)
{
    const int64_t left = a.x0 > b.x0 ? a.x0 : b.x0, right = a.x1 < b.x1 ? a.x1 : b.x1;
    return right - left;
}

static uint32_t narrower(mg__box a, mg__box b)
{
    const uint32_t wa = a.x1 - a.x0, wb = b.x1 - b.x0;
    return wa < wb ? wa : wb;
}

static void extend(mg__box *box, mg__box by)
{
    if (by.x0 < box->x0) box->x0 = by.x0;
    if (by.y0 < box->y0) box->y0 = by.y0;
    if (by.x1 > box->x1) box->x1 = by.x1;
    if (by.y1 > box->y1) box->y1 = by.y1;
}

/* Numbers the blobs that stand apart from left to right; `boxes` are those of the groups. Returns
 * their number, -1 if they are more than MAX_DIGITS. */
static int group_by_column(mg__box boxes[MAX_DIGITS], mg__blob **sorted, int count)
{
    int groups = 0;
    for (int i = 0; i < count; i++) {
        mg__box *last = &boxes[groups - (groups > 0)];
        const mg__box box = sorted[i]->box;
        if (groups && 2 * overlap(*last, box) >= narrower(*last, box)) {
            extend(last, box);
        } else {
            if (groups == MAX_DIGITS) return -1;
            boxes[groups++] = box;
        }
        sorted[i]->group = groups - 1;
    }
    return groups;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return (p > q) - (p < q);
}

static uint32_t median_height(const mg__box *boxes, int count)
{
    uint32_t heights[MAX_DIGITS];
    assert(count > 0);
    for (int i = 0; i < count; i++) heights[i] = boxes[i].y1 - boxes[i].y0;
    qsort(heights, (size_t)count, sizeof *heights, by_value);
    return heights[count / 2];
}

/* Which neighbour a group much lower than the others is a piece of: the nearer one if it is near,
 * else none (-1: a dot, a comma). Itself if it is as tall as a digit. */
static int owner(const mg__box *boxes, int count, int i, uint32_t height)
{
    const mg__box box = boxes[i];
    if (5 * (box.y1 - box.y0) >= 2 * height) return i;
    const int64_t left = i > 0 ? (int64_t)box.x0 - boxes[i - 1].x1 : INT64_MAX;
    const int64_t right = i + 1 < count ? (int64_t)boxes[i + 1].x0 - box.x1 : INT64_MAX;
    const int64_t nearest = left < right ? left : right;
    const int neighbour = left < right ? i - 1 : i + 1;
    assert(neighbour >= 0 && neighbour < count); /* a group alone is as tall as the median */
    return 6 * nearest > height ? -1 : neighbour;
}

/* Lets small groups join or vanish, and closes the gaps in the numbers. */
static int join_small(const mg__box *boxes, mg__blob **sorted, int blobs, int count)
{
    int numbers[MAX_DIGITS], owners[MAX_DIGITS], groups = 0;
    assert(count > 0);
    const uint32_t height = median_height(boxes, count);
    for (int i = 0; i < count; i++) {
        owners[i] = owner(boxes, count, i, height);
        numbers[i] = owners[i] == i ? groups++ : -1;
    }
    for (int k = 0; k < blobs; k++) {
        const int to = owners[sorted[k]->group];
        sorted[k]->group = to < 0 ? -1 : numbers[to];
    }
    return groups;
}

/* The ink of a group in a column, and of how many pieces it is. */
static uint32_t column_ink(int *pieces, const mg__blobs *b, int group, mg__box box, uint32_t x)
{
    uint32_t ink = 0;
    bool before = false;
    *pieces = 0;
    for (uint32_t y = box.y0; y < box.y1; y++) {
        const uint32_t label = b->labels[(size_t)y * b->width + x];
        const bool now = label && b->blobs[label - 1].group == group;
        ink += now;
        *pieces += now && !before;
        before = now;
    }
    return ink;
}

/* The column of the group's middle half with the least ink; *ink is how much. 0 if each of them
 * goes through two strokes, as through a 0 that lies. */
static uint32_t thinnest_column(uint32_t *ink, const mg__blobs *b, int group, mg__box box)
{
    const uint32_t quarter = (box.x1 - box.x0) / 4;
    uint32_t best = 0;
    *ink = UINT32_MAX;
    for (uint32_t x = box.x0 + quarter; x < box.x1 - quarter; x++) {
        int pieces;
        const uint32_t sum = column_ink(&pieces, b, group, box, x);
        if (sum >= *ink || pieces > 1) continue;
        *ink = sum;
        best = x;
    }
    return best;
}

/* The boxes of what the group has on both sides of column x. */
static void halves(mg__box *left, mg__box *right, const mg__blobs *b, int group, mg__box box,
                   uint32_t x)
{
    *left = (mg__box){box.x0, box.y1, x, box.y0};
    *right = (mg__box){x, box.y1, box.x1, box.y0};
    for (uint32_t row = box.y0; row < box.y1; row++)
        for (uint32_t col = box.x0; col < box.x1; col++) {
            const uint32_t label = b->labels[(size_t)row * b->width + col];
            if (!label || b->blobs[label - 1].group != group) continue;
            mg__box *side = col < x ? left : right;
            if (row < side->y0) side->y0 = row;
            if (row >= side->y1) side->y1 = row + 1;
        }
}

/* Gives what the group has in `right` to a new blob, of a group after it. Of the blobs only groups
 * and boxes stay right. */
static mg_status cut(mg__blobs *b, int group, mg__box left, mg__box right)
{
    mg__blob *blobs = realloc(b->blobs, ((size_t)b->count + 1) * sizeof *blobs);
    if (!blobs) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    b->blobs = blobs;
    for (uint32_t row = right.y0; row < right.y1; row++)
        for (uint32_t col = right.x0; col < right.x1; col++) {
            uint32_t *label = &b->labels[(size_t)row * b->width + col];
            if (*label && blobs[*label - 1].group == group) *label = (uint32_t)b->count + 1;
        }
    for (int i = 0; i < b->count; i++) {
        if (blobs[i].group == group) blobs[i].box = left;
        blobs[i].group += blobs[i].group > group;
    }
    blobs[b->count++] = (mg__blob){.box = right, .group = group + 1};
    return MG_OK;
}

/* Cuts digits that touch: wider than any one is, with little ink between two parts as tall as
 * digits. */
static mg_status cut_wide(int *groups, mg__blobs *b)
{
    for (int g = 0; g < *groups && *groups < MAX_DIGITS;) {
        const mg__box box = mg__group_box(b, g);
        const uint32_t width = box.x1 - box.x0, height = box.y1 - box.y0;
        mg__box left = {0}, right = {0};
        uint32_t ink = 0;
        const uint32_t x = 2 * width > 3 * height ? thinnest_column(&ink, b, g, box) : 0;
        if (x) halves(&left, &right, b, g, box, x);
        const uint32_t lower =
            left.y1 - left.y0 < right.y1 - right.y0 ? left.y1 - left.y0 : right.y1 - right.y0;
        if (!x || 3 * ink > height || 3 * lower < 2 * height) {
            g++;
            continue;
        }
        const mg_status st = cut(b, g, left, right);
        if (st) return st;
        ++*groups;
    }
    return MG_OK;
}

mg_status mg__segment(int *groups, mg__ink *ink)
{
    mg_status st;
    mg__blobs *b = &ink->blobs;
    mg__box boxes[MAX_DIGITS];
    int count = 0;
    mg__blob **sorted = malloc((size_t)b->count * sizeof *sorted);
    if (!sorted) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    for (int i = 0; i < b->count; i++)
        if (b->blobs[i].group >= 0) sorted[count++] = &b->blobs[i];
    qsort(sorted, (size_t)count, sizeof *sorted, by_left);
    *groups = group_by_column(boxes, sorted, count);
    if (*groups < 0)
        MG_FAIL(MG_ERR_FORMAT, "more than %d pieces side by side (expected a row of digits)",
                MAX_DIGITS);
    *groups = join_small(boxes, sorted, count, *groups);
    MG_TRY(cut_wide(groups, b));
out:
    free(sorted);
    return st;
}
