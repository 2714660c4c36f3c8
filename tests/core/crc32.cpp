#include "mor1e/core/crc32.hpp"

#include "doctest/doctest.h"

TEST_CASE("crc32 of its check string, of nothing and of bytes above 127") {
  static_assert(mor1e::crc32("123456789") == 0xcbf43926u);
  CHECK(mor1e::crc32("123456789") == 0xcbf43926u);
  CHECK(mor1e::crc32("") == 0u);
  CHECK(mor1e::crc32("\xff\xff\xff\xff") == 0xffffffffu);
}
