from app import total
print(total(range(10)))
