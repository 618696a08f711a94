/* A main for the targets where there is no libFuzzer: replays the files of the folders named, and
 * mutations of them, always the same.
 *
 *     fuzz_idx MUTATIONS FOLDER...
 *
 * MUTATIONS: in all, shared out equally. The target runs in a process of its own; when that ends as
 * it should not, its last input is saved as <program>.finding. */
#include "fuzz.h"
#include <ftw.h>
#include <sys/wait.h>

/* A target's own one, or none. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
    __attribute__((weak));

enum { MAX_FILES = 512, MAX_SIZE = 1 << 14, MAX_ROUNDS = 4 };

/* ---- mutations ---- */

static uint64_t random_state;

/* Steele, Lea & Flood 2014 (SplitMix64). */
static uint32_t random_below(uint32_t bound)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) >> 32) % bound;
}

/* Overwrites with a number that readers may trip over, as bytes of either order or as text. */
static void put_number(uint8_t *data, size_t size, size_t at)
{
    static const uint64_t numbers[] = {0,          1,           255,       256,        32767,
                                       32768,      65535,       65536,     0x7fffffff, 0x80000000,
                                       0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX};
    const uint64_t number = numbers[random_below(MG_COUNT_OF(numbers))];
    const size_t kind = random_below(9), bytes = (size_t)1 << kind / 2;
    char text[24];
    if (kind == 8) {
        const int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        if (size - at >= (size_t)length) memcpy(data + at, text, (size_t)length);
        return;
    }
    for (size_t i = 0; i < bytes && at + i < size; i++)
        data[at + i] = (uint8_t)(number >> 8 * (kind % 2 ? i : bytes - 1 - i));
}

/* Copies up to 64 bytes to another place, over what is there or between. */
static size_t copy_piece(uint8_t *data, size_t size, size_t max_size)
{
    uint8_t piece[64];
    const size_t from = random_below((uint32_t)size), to = random_below((uint32_t)size);
    size_t length = 1 + random_below(sizeof piece);
    const bool between = random_below(2);
    if (length > size - from) length = size - from;
    if (between ? size + length > max_size : to + length > size) return size;
    memcpy(piece, data + from, length);
    if (between) memmove(data + to + length, data + to, size - to);
    memcpy(data + to, piece, length);
    return size + (between ? length : 0);
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    if (size > max_size) size = max_size;
    if (size == 0) {
        if (max_size) data[0] = (uint8_t)random_below(256);
        return max_size > 0;
    }
    const size_t at = random_below((uint32_t)size);
    size_t length = 1 + random_below(random_below(4) ? 8 : (uint32_t)size);
    switch (random_below(6)) {
    case 0:
        data[at] ^= (uint8_t)(1 << random_below(8));
        break;
    case 1:
        data[at] = (uint8_t)random_below(256);
        break;
    case 2:
        put_number(data, size, at);
        break;
    case 3: /* cut out */
        if (length > size - at) length = size - at;
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 4:
        return at; /* cut short */
    default:
        return copy_piece(data, size, max_size);
    }
    return size;
}

/* ---- replay ---- */

/* The input that is on, seen by the parent when the child dies of it. */
static struct shared {
    size_t size;
    uint8_t bytes[1 << 20];
} * now;

static char *files[MAX_FILES];
static int file_count;

static int add_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)at;
    if (kind != FTW_F) return 0;
    FUZZ_CHECK(file_count < MAX_FILES && (files[file_count] = realpath(path, NULL)));
    file_count++;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + !size); /* no byte more: a read past the end is seen */
    FUZZ_CHECK(copy && size <= sizeof now->bytes);
    memcpy(copy, data, size);
    memcpy(now->bytes, data, size);
    now->size = size;
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void replay_file(const char *path, long mutations)
{
    static uint8_t original[MAX_SIZE + 1], data[MAX_SIZE];
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file);
    const size_t length = fread(original, 1, sizeof original, file);
    fclose(file);
    FUZZ_CHECK(length <= MAX_SIZE);
    run(original, length);
    for (long m = 0; m < mutations; m++) {
        size_t size = length;
        memcpy(data, original, length);
        for (uint32_t rounds = 1 + random_below(MAX_ROUNDS); rounds > 0; rounds--)
            size = LLVMFuzzerCustomMutator
                       ? LLVMFuzzerCustomMutator(data, size, MAX_SIZE, random_below(1 << 30))
                       : LLVMFuzzerMutate(data, size, MAX_SIZE);
        run(data, size);
    }
}

/* In a folder of its own, in memory where there is one, for the files that a target makes. */
static void enter_scratch(char dir[64])
{
    snprintf(dir, 64, "/dev/shm/mnist_gpu-fuzz-XXXXXX");
    if (!mkdtemp(dir)) {
        snprintf(dir, 64, "/tmp/mnist_gpu-fuzz-XXXXXX");
        FUZZ_CHECK(mkdtemp(dir));
    }
    FUZZ_CHECK(chdir(dir) == 0);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    char dir[64], finding[PATH_MAX];
    FUZZ_CHECK(argc > 2 && realpath(argv[0], finding));
    strncat(finding, ".finding", sizeof finding - strlen(finding) - 1);
    for (int i = 2; i < argc; i++) nftw(argv[i], add_file, 16, FTW_PHYS);
    if (!file_count) return fprintf(stderr, "%s: no files to replay\n", argv[0]), 1;
    qsort(files, (size_t)file_count, sizeof *files, by_path);
    now = mmap(NULL, sizeof *now, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(now != MAP_FAILED);
    enter_scratch(dir);
    const pid_t child = fork();
    if (child == 0) {
        const long mutations = strtol(argv[1], NULL, 10) / file_count;
        for (int i = 0; i < file_count; i++) replay_file(files[i], mutations);
        for (int i = 0; i < file_count; i++) free(files[i]);
        exit(0);
    }
    int status = -1;
    FUZZ_CHECK(child > 0 && waitpid(child, &status, 0) == child);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (status == 0) return 0;
    FILE *file = fopen(finding, "wb");
    if (file) fwrite(now->bytes, 1, now->size, file), fclose(file);
    return fprintf(stderr, "the input is saved as %s\n", finding), 1;
}
