// In a header, so that Swift inlines it: a call costs as much as the search of a short text.
#ifndef FORKTAIL_TEXT_SEARCH_H
#define FORKTAIL_TEXT_SEARCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

// A bit for each of sixteen bytes that a JSON string cannot have as they are.
static inline unsigned forktail_special16(__m128i block) {
    __m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    __m128i backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    __m128i all = _mm_or_si128(_mm_or_si128(quotes, backslashes), controls);
    return (unsigned)_mm_movemask_epi8(all);
}
#endif

#define FORKTAIL_ONES 0x0101010101010101ull
#define FORKTAIL_HIGHS 0x8080808080808080ull

// The high bit of each byte that is zero; of those above the first, it may be of others as well.
static inline uint64_t forktail_zeros8(uint64_t word) {
    return (word - FORKTAIL_ONES) & ~word & FORKTAIL_HIGHS;
}

// The same of eight bytes that a JSON string cannot have as they are.
static inline uint64_t forktail_special8(uint64_t word) {
    uint64_t controls = (word - FORKTAIL_ONES * 0x20) & ~word & FORKTAIL_HIGHS;
    return forktail_zeros8(word ^ FORKTAIL_ONES * '"') | forktail_zeros8(word ^ FORKTAIL_ONES * '\\')
        | controls;
}

static inline int forktail_is_special(uint8_t byte) {
    return byte == '"' || byte == '\\' || byte < 0x20;
}

/// How many bytes at the start a JSON string can have as they are: neither quote, nor backslash, nor
/// control character.
static inline size_t forktail_plain_length(const void *text, size_t length) {
    const uint8_t *from = text;
    size_t place = 0;
#if defined(__SSE2__)
    for (; length - place >= 16; place += 16) {
        unsigned special = forktail_special16(_mm_loadu_si128((const void *)(from + place)));
        if (special != 0) return place + (size_t)__builtin_ctz(special);
    }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length - place >= 8; place += 8) {
        uint64_t word;
        memcpy(&word, from + place, 8);
        uint64_t special = forktail_special8(word);
        if (special != 0) return place + (size_t)__builtin_ctzll(special) / 8;
    }
#endif
    while (place < length && !forktail_is_special(from[place])) place++;
    return place;
}

/// Copies just these bytes, and returns how many. `to` has room for `length`.
static inline size_t forktail_copy_plain(void *to, const void *text, size_t length) {
    const uint8_t *from = text;
    uint8_t *target = to;
    size_t place = 0;
    // What is copied of a block behind the byte that ends it is overwritten by what comes next.
#if defined(__SSE2__)
    for (; length - place >= 16; place += 16) {
        __m128i block = _mm_loadu_si128((const void *)(from + place));
        _mm_storeu_si128((void *)(target + place), block);
        unsigned special = forktail_special16(block);
        if (special != 0) return place + (size_t)__builtin_ctz(special);
    }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length - place >= 8; place += 8) {
        uint64_t word;
        memcpy(&word, from + place, 8);
        memcpy(target + place, &word, 8);
        uint64_t special = forktail_special8(word);
        if (special != 0) return place + (size_t)__builtin_ctzll(special) / 8;
    }
#endif
    for (; place < length && !forktail_is_special(from[place]); place++) target[place] = from[place];
    return place;
}

/// Where a byte first stands; `length` if nowhere. Faster than memchr for what is near.
static inline size_t forktail_place(const void *text, size_t length, uint8_t byte) {
    const uint8_t *from = text;
    size_t place = 0;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8((char)byte);
    for (; length - place >= 16; place += 16) {
        __m128i block = _mm_loadu_si128((const void *)(from + place));
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, wanted));
        if (found != 0) return place + (size_t)__builtin_ctz(found);
    }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length - place >= 8; place += 8) {
        uint64_t word;
        memcpy(&word, from + place, 8);
        uint64_t found = forktail_zeros8(word ^ FORKTAIL_ONES * byte);
        if (found != 0) return place + (size_t)__builtin_ctzll(found) / 8;
    }
#endif
    while (place < length && from[place] != byte) place++;
    return place;
}

#endif
