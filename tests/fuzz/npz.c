/* numpy's .npz, which is a ZIP archive of arrays. */
#include "fuzz.h"
#include "data/import.h"
#include <zlib.h>

/* Little-endian numbers of an archive. */
static size_t number(const uint8_t *at, int bytes)
{
    size_t value = 0;
    while (bytes-- > 0) value = value << 8 | at[bytes];
    return value;
}

static void put_number(uint8_t *at, size_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* The content of the member of the directory's entry, as far as it lies in the file. */
static fuzz_part content_of(uint8_t *data, size_t size, const uint8_t *entry)
{
    const size_t local = number(entry + 42, 4), packed = number(entry + 20, 4);
    if (local > size || size - local < 30) return (fuzz_part){data, 0};
    const size_t start = local + 30 + number(data + local + 26, 2) + number(data + local + 28, 2);
    if (start > size || packed > size - start) return (fuzz_part){data, 0};
    return (fuzz_part){data + start, packed};
}

/* Sets the entry's CRC, and size if it is deflated, to what the content has. */
static void mend_entry(uint8_t *entry, fuzz_part content)
{
    static uint8_t unpacked[1 << 14];
    fuzz_part whole = content;
    if (number(entry + 10, 2) == 8) {
        z_stream z = {.next_in = content.bytes, .avail_in = (uInt)content.size};
        FUZZ_CHECK(inflateInit2(&z, -MAX_WBITS) == Z_OK);
        z.next_out = unpacked;
        z.avail_out = sizeof unpacked;
        inflate(&z, Z_FINISH);
        inflateEnd(&z);
        whole = (fuzz_part){unpacked, sizeof unpacked - z.avail_out};
        put_number(entry + 24, whole.size, 4);
    }
    put_number(entry + 16, crc32(0, whole.bytes, (uInt)whole.size), 4);
}

/* Half of the mutations are within a member; three of four archives get right CRCs. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    const bool inside = seed % 2;
    if (!inside) size = LLVMFuzzerMutate(data, size, max_size);
    for (size_t at = 0; at + 46 <= size; at++) {
        uint8_t *entry = data + at;
        if (memcmp(entry, "PK\1\2", 4) != 0) continue;
        const fuzz_part content = content_of(data, size, entry);
        if (inside && content.size && (seed / 16 + at) % 4 == 0) {
            const size_t left = LLVMFuzzerMutate(content.bytes, content.size, content.size);
            memset(content.bytes + left, 0, content.size - left);
        }
        if (seed / 2 % 4) mend_entry(entry, content);
    }
    return size;
}

static void check_set(const mg_dataset *set)
{
    if (!set) return;
    fuzz_touch(set->pixels, (size_t)set->count * set->channels * set->height * set->width);
    for (uint32_t i = 0; i < set->count; i++) FUZZ_CHECK(set->labels[i] < set->classes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_import import = {0};
    const mg_status st = mg__import_npz(&import, fuzz_file(0, data, size));
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    FUZZ_CHECK(import.train || import.test);
    check_set(import.train);
    check_set(import.test);
    mg__import_free(&import);
    return 0;
}
