// Philox 4x32-10: random words that are a function of a key and a counter, so that any of them can be
// computed alone.
//
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
//
// The key is a 64-bit seed, the 128-bit counter (block, offset), 64 bits each, low word first. A block is
// four words; element e of an array takes word e % 4 of block e / 4.
#pragma once

#include "kernels/simd/isa.hpp"

namespace weft::WEFT_ISA {

/// Elements whose words are computed at once: whole blocks.
inline constexpr int philox_elements = 128;

using Words [[gnu::vector_size(sizeof(Vec<float>))]] = uint64_t;

/// The 64-bit products of the lanes' low halves; compilers do not find the instruction by themselves.
inline Words multiply_low_halves(const Words& a, const Words& b) {
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);  // GCC warns of the one without a mask
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
#endif
}

/// The words of elements [4 * first_block, 4 * first_block + philox_elements), in order.
inline void philox(uint64_t seed, uint64_t offset, uint64_t first_block, uint32_t* words) {
  constexpr int width = sizeof(Words) / sizeof(uint64_t);
  constexpr int group =
      tuning.vector_registers == 32 ? 4 : 2;  // vectors whose counters fit into the registers
  constexpr int blocks = group * width;
  const Words zero = {}, multiplier0 = zero + 0xD2511F53, multiplier1 = zero + 0xCD9E8D57;
  uint64_t lane[width];
  for (int b = 0; b < width; ++b) lane[b] = uint64_t(b);
  Words index;
  __builtin_memcpy(&index, lane, sizeof index);
  for (int begin = 0; begin < philox_elements / 4; begin += blocks) {
    // A 32-bit word in each 64-bit lane; what lies in the lanes' high halves does not matter until the end.
    Words c0[group], c1[group], c2[group], c3[group];
    for (int i = 0; i < group; ++i) {
      c0[i] = index + (first_block + uint64_t(begin + i * width));
      c1[i] = c0[i] >> 32;
      c2[i] = zero + offset;
      c3[i] = zero + (offset >> 32);
    }
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (int i = 0; i < group; ++i) {
        const Words low = multiply_low_halves(c0[i], multiplier0),
                    high = multiply_low_halves(c2[i], multiplier1);
        c0[i] = (high >> 32) ^ c1[i] ^ (zero + k0);
        c1[i] = high;
        c2[i] = (low >> 32) ^ c3[i] ^ (zero + k1);
        c3[i] = low;
      }
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    uint64_t halves[2][blocks], both[2 * blocks];
    for (int i = 0; i < group; ++i) {
      const Words first = (c0[i] & 0xFFFFFFFF) | (c1[i] << 32), second = (c2[i] & 0xFFFFFFFF) | (c3[i] << 32);
      __builtin_memcpy(halves[0] + i * width, &first, sizeof first);
      __builtin_memcpy(halves[1] + i * width, &second, sizeof second);
    }
    for (int b = 0; b < blocks; ++b) {
      both[2 * b] = halves[0][b];
      both[2 * b + 1] = halves[1][b];
    }
    __builtin_memcpy(words + 4 * begin, both, sizeof both);  // little-endian
  }
}

}  // namespace weft::WEFT_ISA
