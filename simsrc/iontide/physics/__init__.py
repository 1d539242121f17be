"""The laws, over any kind of number: ions, activities, GHK and Nernst, transport mechanisms."""
