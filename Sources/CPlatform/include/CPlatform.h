// The few C lines that Swift cannot say: hardware CRC32C, and Linux calls that Glibc's overlay lacks.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text_search.h"

/// CRC-32C (Castagnoli) of `length` bytes, continued from `crc` (0 to begin).
/// Uses SSE4.2 (three lanes, joined by carry-less multiplication) where the processor has it.
uint32_t forktail_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The same by tables, which other processors use; tests compare the two.
uint32_t forktail_crc32c_software(uint32_t crc, const void *bytes, size_t length);

/// The CRC-32C of A followed by B, from crc(A), crc(B) and B's length.
uint32_t forktail_crc32c_combine(uint32_t crc_a, uint32_t crc_b, size_t length_b);

/// Where `part`, of one byte or more, first stands in `text`; -1 if nowhere.
int64_t forktail_find(const void *text, size_t length, const void *part, size_t part_length);

/// When the file open at `descriptor` was made, in nanoseconds since 1970, or -1 if nobody knows.
int64_t forktail_birth_time(int descriptor);

#endif
