/* IDX files packed with gzip, and the check of a file against a known set's. */
#include "fuzz.h"
#include "data/files.h"
#include "data/idx.h"
#include "data/source.h"
#include <zlib.h>

enum { ROOM = 1 << 14 };

/* Unpacked, mutated and packed again, with its right CRC: stored, fast or well. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const int levels[] = {0, 1, 9};
    uint8_t content[ROOM];
    z_stream z = {.next_in = data, .avail_in = (uInt)size};
    if (seed % 4 == 0 || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return LLVMFuzzerMutate(data, size, max_size);
    z.next_out = content;
    z.avail_out = ROOM;
    const int end = inflate(&z, Z_FINISH);
    size_t length = ROOM - z.avail_out;
    inflateEnd(&z);
    if (end != Z_STREAM_END) return LLVMFuzzerMutate(data, size, max_size);
    length = LLVMFuzzerMutate(content, length, ROOM);
    z = (z_stream){.next_in = content, .avail_in = (uInt)length};
    FUZZ_CHECK(deflateInit2(&z, levels[seed / 4 % 3], Z_DEFLATED, 16 + MAX_WBITS, 1,
                            Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_out = data;
    z.avail_out = (uInt)max_size;
    const bool fits = deflate(&z, Z_FINISH) == Z_STREAM_END;
    const size_t packed = max_size - z.avail_out;
    deflateEnd(&z);
    return fits ? packed : max_size; /* cut short */
}

/* The same bytes whatever the sizes of the pieces. */
static void check_pieces(const char *path, const mg_idx *idx)
{
    mg_source *source;
    uint8_t piece[61];
    size_t at = 0, got;
    const size_t header = 4 + 4 * (size_t)idx->ndim;
    FUZZ_CHECK(mg__source_open(&source, path, true) == MG_OK);
    do {
        FUZZ_CHECK(mg__source_read(source, piece, sizeof piece, &got) == MG_OK);
        for (size_t i = 0; i < got; i++, at++)
            if (at >= header) FUZZ_CHECK(piece[i] == idx->bytes[at - header]);
    } while (got == sizeof piece);
    FUZZ_CHECK(at == header + idx->size);
    mg__source_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_idx idx = {0};
    const char *path = fuzz_file(0, data, size);
    const mg_status st = mg__idx_read(&idx, path, 1, MG_IDX_MAX_DIMS);
    if (st)
        fuzz_check_refusal(st);
    else
        check_pieces(path, &idx);
    free(idx.bytes);
    for (int i = 0; i < 2; i++) /* one known by its content, one by its packed bytes */
        fuzz_check_refusal(mg__known_check(&mg__known_sets[i], path, MG_TEST_LABELS));
    return 0;
}
