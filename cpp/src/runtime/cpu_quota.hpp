// The share of the processors that a control group of Linux leaves to this process.
#pragma once

#include <string>

namespace weft {

/// Processors that the quota amounts to, rounded up; INT_MAX where there is none. A container that may use
/// one and a half processors' time has a quota, though its affinity mask names all of the machine's.
int processors_of_quota();

/// The same of a system whose files lie below `root`, for tests.
int processors_of_quota(const std::string& root);

}  // namespace weft
