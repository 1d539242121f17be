"""The numbers of the method, and the layout of the arrays that compiled code reads and writes."""
