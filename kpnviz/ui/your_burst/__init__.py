"""What the page *Your burst* is put together from: each module draws one part of it."""
