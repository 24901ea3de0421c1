// Vectors of the instruction set that this file is being compiled for.
//
// Every kernel lives in weft::<isa>, so that one source compiled several times gives several sets of symbols.
// Kernels use no standard-library templates: those would be weak symbols shared between instruction sets.
#pragma once

#include <Eigen/Core>
#include <cstdint>

#ifndef WEFT_ISA
#error "kernels are compiled with -DWEFT_ISA=<name> -DEigen=Eigen_<name>; see cmake/kernels.cmake"
#endif

#include WEFT_TUNING

#define WEFT_TEXT_(name) #name
#define WEFT_TEXT(name) WEFT_TEXT_(name)

namespace weft::WEFT_ISA {

inline constexpr char isa_name[] = WEFT_TEXT(WEFT_ISA);

template <class T>
using Vec = typename Eigen::internal::packet_traits<T>::type;

/// Elements in a vector.
template <class T>
inline constexpr int lanes = Eigen::internal::unpacket_traits<Vec<T>>::size;

template <class T>
inline Vec<T> load(const T* p) {
  return Eigen::internal::ploadu<Vec<T>>(p);
}
template <class T>
inline void store(T* p, const Vec<T>& v) {
  Eigen::internal::pstoreu(p, v);
}
template <class T>
inline Vec<T> broadcast(T value) {
  return Eigen::internal::pset1<Vec<T>>(value);
}
template <class V>
inline V fma(const V& a, const V& b, const V& c) {
  return Eigen::internal::pmadd(a, b, c);
}

/// The first n < lanes elements at p, the rest zero; nothing beyond them is read.
template <class T>
inline Vec<T> load_partial(const T* p, int64_t n) {
  T tail[lanes<T>] = {};
  for (int64_t i = 0; i < n; ++i) tail[i] = p[i];
  return load(tail);
}
template <class T>
inline void store_partial(T* p, const Vec<T>& v, int64_t n) {
  T tail[lanes<T>];
  store(tail, v);
  for (int64_t i = 0; i < n; ++i) p[i] = tail[i];
}

/// body(i, n) for every vector of a row of `size` elements: n == lanes inside, less at the tail. The tail
/// runs the same instructions on a padded copy, so an element's result does not depend on where in the row it
/// lies.
template <class T, class Body>
inline void for_each_vector(int64_t begin, int64_t end, Body body) {
  int64_t i = begin;
  for (; i + lanes<T> <= end; i += lanes<T>) body(i, int64_t(lanes<T>));
  if (i < end) body(i, end - i);
}
template <class T>
inline Vec<T> load(const T* p, int64_t n) {
  return n == lanes<T> ? load(p) : load_partial(p, n);
}
template <class T>
inline void store(T* p, const Vec<T>& v, int64_t n) {
  if (n == lanes<T>)
    store(p, v);
  else
    store_partial(p, v, n);
}

inline constexpr int64_t round_up(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
inline constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
inline constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace weft::WEFT_ISA
