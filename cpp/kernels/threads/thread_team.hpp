// What kernels ask of the threads that help a call. The threads are in cpp/src/runtime/thread_team.cpp; this
// header belongs to no instruction set.
#pragma once

namespace weft {

/// One share of a piece of work: body(work, share, shares).
using ShareBody = void (*)(const void* work, int share, int shares);

/// Runs the shares 0 ... shares - 1, and returns when all have ended. Helpers take shares as they become
/// free, and the caller takes those that no helper has begun: it waits for shares under way, never for a
/// thread to start. May be called from within a share. Does not throw.
void run_shares(int shares, ShareBody body, const void* work) noexcept;

/// A spin-wait within a share, until *word is `value`. A share under way will write it, which must not wait
/// for this one.
void wait_until(const int* word, int value) noexcept;

/// How many shares to make now, at most `threads`: one where this thread's helpers have lately cost more time
/// than they saved, because other processes use the processors.
int worthwhile_shares(int threads) noexcept;

/// Whether the call that this thread works for shall end early (weft/interruptible.hpp). Cheap enough to be
/// asked some thousand times a second.
bool interrupted() noexcept;

}  // namespace weft
