// Philox 4x32-10: random words that are a function of a key and a counter, so that any of them can be
// computed alone.
//
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
//
// The key is a 64-bit seed, the 128-bit counter (block, offset), 64 bits each, low word first. A block is
// four words; element e of an array takes word e % 4 of block e / 4.
#pragma once

#include "isa.hpp"

namespace weft::WEFT_ISA {

/// Blocks that are computed side by side, and the elements they serve.
inline constexpr int philox_blocks = 32;
inline constexpr int philox_elements = 4 * philox_blocks;

/// The words of elements [4 * first_block, 4 * first_block + philox_elements), in order.
inline void philox(uint64_t seed, uint64_t offset, uint64_t first_block, uint32_t* __restrict words) {
  uint32_t c0[philox_blocks], c1[philox_blocks], c2[philox_blocks], c3[philox_blocks];
  for (int b = 0; b < philox_blocks; ++b) {
    c0[b] = uint32_t(first_block + uint64_t(b));
    c1[b] = uint32_t((first_block + uint64_t(b)) >> 32);
    c2[b] = uint32_t(offset);
    c3[b] = uint32_t(offset >> 32);
  }
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int b = 0; b < philox_blocks; ++b) {
      const uint64_t low = uint64_t(0xD2511F53) * c0[b], high = uint64_t(0xCD9E8D57) * c2[b];
      c0[b] = uint32_t(high >> 32) ^ c1[b] ^ k0;
      c1[b] = uint32_t(high);
      c2[b] = uint32_t(low >> 32) ^ c3[b] ^ k1;
      c3[b] = uint32_t(low);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  for (int b = 0; b < philox_blocks; ++b) {
    words[4 * b] = c0[b];
    words[4 * b + 1] = c1[b];
    words[4 * b + 2] = c2[b];
    words[4 * b + 3] = c3[b];
  }
}

}  // namespace weft::WEFT_ISA
