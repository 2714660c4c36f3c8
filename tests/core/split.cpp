#include "mor1e/core/split.hpp"

#include <doctest/doctest.h>

using namespace mor1e;

TEST_CASE("a list as people write it") {
  using parts = std::vector<std::string>;
  CHECK(split("") == parts{});
  CHECK(split("a") == parts{"a"});
  CHECK(split("a,b c") == parts{"a", "b c"});
  CHECK(split(",a,,") == parts{"", "a", "", ""});
  CHECK(split("a,b;c", ';') == parts{"a,b", "c"});
}
