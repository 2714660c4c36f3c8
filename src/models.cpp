#include "mor1e/core/config.hpp"

#include "mor1e/models/batch.ipp"
#include "mor1e/models/config.ipp"
#include "mor1e/models/linears.ipp"
#include "mor1e/models/locate.ipp"
#include "mor1e/models/open.ipp"
#include "mor1e/models/sentence_embedder.ipp"
#include "mor1e/models/toy.ipp"
