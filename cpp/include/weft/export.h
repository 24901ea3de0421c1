/* WEFT_API marks what the shared library exports; all else in it is hidden. WEFT_INLINE marks what must leave no
   function behind. And where weft cannot be. */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

#if defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ < 8
#error "weft needs a target of 64 bits: the pointers of this one are shorter"
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_INLINE __attribute__((always_inline)) inline
#else
#define WEFT_API
#define WEFT_INLINE inline
#endif

#endif
