#include "CPlatform.h"

#include <string.h>

// The reflected Castagnoli polynomial.
#define POLYNOMIAL 0x82f63b78u

// Eight tables: table[k][b] is the CRC of byte b followed by k zero bytes.
static uint32_t table[8][256];

// power[k] is x^(2^k) modulo the polynomial.
static uint32_t power[64];

static uint32_t (*implementation)(uint32_t crc, const uint8_t *next, size_t length);

// a * b modulo the polynomial, both reflected.
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = b & 1 ? (b >> 1) ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

// x^n modulo the polynomial.
static uint32_t power_of_x(uint64_t n) {
    uint32_t result = 1u << 31;
    for (unsigned k = 0; n != 0; n >>= 1, k++) {
        if (n & 1) result = multiply(power[k], result);
    }
    return result;
}

static inline uint64_t load64(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

// Slicing by eight; the crc comes and goes inverted. Reads words as little-endian ones.
static uint32_t software(uint32_t crc, const uint8_t *next, size_t length) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length >= 8; next += 8, length -= 8) {
        uint64_t word = load64(next) ^ crc;
        crc = table[7][word & 0xff] ^ table[6][(word >> 8) & 0xff]
            ^ table[5][(word >> 16) & 0xff] ^ table[4][(word >> 24) & 0xff]
            ^ table[3][(word >> 32) & 0xff] ^ table[2][(word >> 40) & 0xff]
            ^ table[1][(word >> 48) & 0xff] ^ table[0][word >> 56];
    }
#endif
    for (; length > 0; next++, length--) {
        crc = table[0][(crc ^ *next) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

// Three lanes hide the instruction's latency of three cycles.
#define LONG_LANE 4096
#define SHORT_LANE 256

// x^(8n - 33) for n = one and two lanes: the carry-less product and the CRC step add x^33.
static uint32_t long_shift[2], short_shift[2];

__attribute__((target("sse4.2,pclmul")))
static inline uint64_t shifted(uint64_t crc, uint32_t factor) {
    __m128i product = _mm_clmulepi64_si128(
        _mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128(factor), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul")))
static inline uint64_t three_lanes(uint64_t crc, const uint8_t *next, size_t lane,
                                   const uint32_t shift[2]) {
    uint64_t second = 0, third = 0;
    for (const uint8_t *end = next + lane; next < end; next += 8) {
        crc = _mm_crc32_u64(crc, load64(next));
        second = _mm_crc32_u64(second, load64(next + lane));
        third = _mm_crc32_u64(third, load64(next + 2 * lane));
    }
    return shifted(crc, shift[1]) ^ shifted(second, shift[0]) ^ third;
}

__attribute__((target("sse4.2,pclmul")))
static uint32_t hardware(uint32_t start, const uint8_t *next, size_t length) {
    uint64_t crc = start;
    for (; length >= 3 * LONG_LANE; next += 3 * LONG_LANE, length -= 3 * LONG_LANE) {
        crc = three_lanes(crc, next, LONG_LANE, long_shift);
    }
    for (; length >= 3 * SHORT_LANE; next += 3 * SHORT_LANE, length -= 3 * SHORT_LANE) {
        crc = three_lanes(crc, next, SHORT_LANE, short_shift);
    }
    for (; length >= 8; next += 8, length -= 8) crc = _mm_crc32_u64(crc, load64(next));
    for (; length > 0; next++, length--) crc = _mm_crc32_u8((uint32_t)crc, *next);
    return (uint32_t)crc;
}

static int has_hardware(void) {
    __builtin_cpu_init();
    for (uint64_t lanes = 1; lanes <= 2; lanes++) {
        long_shift[lanes - 1] = power_of_x(8 * lanes * LONG_LANE - 33);
        short_shift[lanes - 1] = power_of_x(8 * lanes * SHORT_LANE - 33);
    }
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#else
static uint32_t hardware(uint32_t crc, const uint8_t *next, size_t length) {
    return software(crc, next, length);
}

static int has_hardware(void) { return 0; }
#endif

// Runs before main, so that nobody has to ask whether the tables are there.
__attribute__((constructor)) static void prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = table[k - 1][byte];
            table[k][byte] = table[0][before & 0xff] ^ (before >> 8);
        }
    }
    power[0] = 1u << 30;
    for (int k = 1; k < 64; k++) power[k] = multiply(power[k - 1], power[k - 1]);
    implementation = has_hardware() ? hardware : software;
}

uint32_t forktail_crc32c(uint32_t crc, const void *bytes, size_t length) {
    return ~implementation(~crc, bytes, length);
}

uint32_t forktail_crc32c_software(uint32_t crc, const void *bytes, size_t length) {
    return ~software(~crc, bytes, length);
}

uint32_t forktail_crc32c_combine(uint32_t crc_a, uint32_t crc_b, size_t length_b) {
    return multiply(power_of_x(8 * (uint64_t)length_b), crc_a) ^ crc_b;
}
