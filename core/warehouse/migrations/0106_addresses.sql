-- What is kept of an address is the project's to say, and by default it is the network.

alter table raw.events ${on_cluster}
    comment column ip 'As much of the client''s address as the project keeps: of the context''s, else of the request''s.';

alter table raw.rejects ${on_cluster}
    comment column ip 'As much of the client''s address as the project keeps: of the context''s, else of the request''s.';
