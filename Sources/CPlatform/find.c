#define _GNU_SOURCE
#include "CPlatform.h"

#if defined(__SSE2__)
#include <emmintrin.h>

// Finds a part of two bytes or more among `places` where it could begin, sixteen or more of them.
//
// Looks for its first and its last byte at sixteen places at once: few places have both.
static const uint8_t *find(const uint8_t *text, size_t places, const uint8_t *part, size_t length) {
    const __m128i first = _mm_set1_epi8((char)part[0]);
    const __m128i last = _mm_set1_epi8((char)part[length - 1]);
    for (size_t place = 0;;) {
        const uint8_t *here = text + place;
        __m128i starts = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)here), first);
        __m128i ends = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)(here + length - 1)), last);
        unsigned both = (unsigned)_mm_movemask_epi8(_mm_and_si128(starts, ends));
        for (; both != 0; both &= both - 1) {
            const uint8_t *candidate = here + __builtin_ctz(both);
            if (memcmp(candidate + 1, part + 1, length - 2) == 0) return candidate;
        }
        if (places - place == 16) return NULL;
        // The last step goes over some places again rather than past the end.
        place = places - place >= 32 ? place + 16 : places - 16;
    }
}
#else
static const uint8_t *find(const uint8_t *text, size_t places, const uint8_t *part, size_t length) {
    return memmem(text, places + length - 1, part, length);
}
#endif

// The same among few places.
static const uint8_t *find_nearby(const uint8_t *text, size_t places, const uint8_t *part,
                                  size_t length) {
    const uint8_t *end = text + places;
    while (text < end && (text = memchr(text, part[0], (size_t)(end - text)))) {
        if (memcmp(text + 1, part + 1, length - 1) == 0) return text;
        text++;
    }
    return NULL;
}

int64_t forktail_find(const void *text, size_t length, const void *part, size_t part_length) {
    if (part_length > length) return -1;
    size_t places = length - part_length + 1;
    // memchr alone is faster for one byte.
    const uint8_t *found = places < 16 || part_length == 1
        ? find_nearby(text, places, part, part_length) : find(text, places, part, part_length);
    return found ? found - (const uint8_t *)text : -1;
}
