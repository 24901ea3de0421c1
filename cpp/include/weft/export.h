/* WEFT_API marks what the shared library exports; all else in it is hidden. The static library is compiled
 * with WEFT_HIDDEN, so that a plug-in which links it does not export it again. Whoever uses weft defines
 * neither. */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

#if defined(__GNUC__) && !defined(WEFT_HIDDEN)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

#endif
