/* WEFT_API marks what the shared library exports; all else in it is hidden. And where weft cannot be. */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

#if defined(__SIZEOF_POINTER__) && __SIZEOF_POINTER__ < 8
#error "weft needs a target of 64 bits: the pointers of this one are shorter"
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

#endif
