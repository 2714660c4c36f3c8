// Tables that launches read, kept in the memory of a device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace mor1e::backend {

/// Tables of the host in device memory. One that is asked for again with the same content is where it was, and is not
/// uploaded again; of tables that differ the last few are kept.
template <class Memory>
class table_cache {
 public:
  explicit table_cache(Memory& memory) : memory_(&memory) {}
  table_cache(const table_cache&) = delete;
  table_cache& operator=(const table_cache&) = delete;
  ~table_cache() {
    for (const table& t : tables_) memory_->deallocate(t.at);
  }

  /// Where a copy of `content` is, until `most` other tables have been asked for.
  const void* find(std::span<const std::byte> content) {
    auto found = std::find_if(tables_.begin(), tables_.end(),
                              [&](const table& t) { return std::ranges::equal(t.content, content); });
    if (found == tables_.end()) {
      if (tables_.size() == most) drop_oldest();
      tables_.push_back({memory_->allocate(content.size()), {}});
      memory_->upload(tables_.back().at, content.data(), content.size());
      tables_.back().content.assign(content.begin(), content.end());
      found = tables_.end() - 1;
    }
    std::rotate(found, found + 1, tables_.end());  // the one used last is last
    return tables_.back().at;
  }

 private:
  static constexpr std::size_t most = 8;
  struct table {
    void* at;
    std::vector<std::byte> content;
  };

  /// Launches that read it come before whatever the memory is used for next, in the order of the stream.
  void drop_oldest() {
    memory_->deallocate(tables_.front().at);
    tables_.erase(tables_.begin());
  }

  Memory* memory_;
  std::vector<table> tables_;
};

}  // namespace mor1e::backend
