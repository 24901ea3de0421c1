// What kernels ask of the threads that help a call. cpp/src/thread_team.cpp has them; this header belongs to
// no instruction set.
#pragma once

namespace weft {

/// One share of a piece of work: body(work, share, shares).
using ShareBody = void (*)(const void* work, int share, int shares);

/// Runs the shares 0 ... shares - 1, and returns when all have ended. Helpers take shares as they come, and
/// the caller takes those that nobody has begun: it waits for a share under way, never for a thread. May be
/// called from within a share. Does not throw.
void run_shares(int shares, ShareBody body, const void* work) noexcept;

/// Waits, within a share, until *word is `value`, which a share under way will write. Whoever writes it must
/// not wait for this one.
void wait_until(const int* word, int value) noexcept;

/// How many shares are worth having now, of `threads` at most: one where this thread's helpers have lately
/// cost more than they gave, because other processes have the processors.
int worthwhile_shares(int threads) noexcept;

/// Whether the call that this thread works for shall end early (weft/interruptible.hpp). Cheap enough to be
/// asked some thousand times a second.
bool interrupted() noexcept;

}  // namespace weft
