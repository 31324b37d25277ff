"""What people save, and the life that all of it has: versions, folders, favourites, a trash."""
