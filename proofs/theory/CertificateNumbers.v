(** Numbers of a certificate: binary integers and rationals, on which Coq computes,
    and what they stand for in a real closed field. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
(* MathComp takes the keys %Z and %Q for its own integers and rationals. *)
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** ** Integers and rationals *)
Section Numbers.
Variable R : rcfType.

(** The integer z and the rational q as elements of R. *)
Definition zr (z : Z) : R := (int_of_Z z)%:~R.
Definition qr (q : Q) : R := zr (Qnum q) / zr (Zpos (Qden q)).

Lemma zrD x y : zr (x + y)%binZ = zr x + zr y.
Proof. by rewrite /zr (raddfD ZInstances.int_of_Z_additive) intrD. Qed.
Lemma zrM x y : zr (x * y)%binZ = zr x * zr y.
Proof. by rewrite /zr (rmorphM ZInstances.int_of_Z_rmorphism) intrM. Qed.
Lemma zrN x : zr (- x)%binZ = - zr x.
Proof. by rewrite /zr (raddfN ZInstances.int_of_Z_additive) mulrNz. Qed.
Lemma zrB x y : zr (x - y)%binZ = zr x - zr y.
Proof. by rewrite /Z.sub zrD zrN. Qed.
Lemma zr0 : zr 0%binZ = 0. Proof. by []. Qed.
Lemma zr1 : zr 1%binZ = 1. Proof. by []. Qed.
Lemma zr_nat n : zr (Z.of_nat n) = n%:R.
Proof. by rewrite /zr (_ : int_of_Z _ = n%:Z) //; lia. Qed.
Lemma zr_le x y : (zr x <= zr y) = Z.leb x y.
Proof. by rewrite /zr ler_int; lia. Qed.
Lemma zr_lt x y : (zr x < zr y) = Z.ltb x y.
Proof. by rewrite /zr ltr_int; lia. Qed.
Lemma zr_abs x : zr (Z.abs x) = `|zr x|.
Proof.
case: (leP 0 (zr x)) => h; [rewrite ger0_norm // | rewrite ltr0_norm // -zrN].
  by move: h; rewrite -zr0 zr_le => /Z.leb_le /Z.abs_eq ->.
by move: h; rewrite -zr0 zr_lt => /Z.ltb_lt h; rewrite Z.abs_neq //; exact: Z.lt_le_incl.
Qed.
Lemma zr_pos p : 0 < zr (Zpos p).
Proof. by rewrite -zr0 zr_lt. Qed.
Lemma zr_posN p : zr (Zpos p) != 0.
Proof. by rewrite gt_eqF // zr_pos. Qed.
Lemma zr_posM p q : zr (Zpos (p * q)) = zr (Zpos p) * zr (Zpos q).
Proof. exact: (zrM (Zpos p) (Zpos q)). Qed.
Lemma zr_neg p : zr (Zneg p) = - zr (Zpos p).
Proof. exact: (zrN (Zpos p)). Qed.
Lemma zr_pow2 n : zr (2 ^ Z.of_nat n)%binZ = 2%:R ^+ n.
Proof.
elim: n => [|n ih]; first by rewrite expr0.
rewrite Nat2Z.inj_succ Z.pow_succ_r; last exact: Nat2Z.is_nonneg.
by rewrite zrM ih exprS.
Qed.

Lemma qr_frac a p : qr (a # p) = zr a / zr (Zpos p). Proof. by []. Qed.
Lemma qr_int a : qr (a # 1) = zr a. Proof. by rewrite qr_frac divr1. Qed.
Lemma qrD x y : qr (x + y)%binQ = qr x + qr y.
Proof.
rewrite /qr /= zrD !zrM zr_posM.
by field; rewrite !zr_posN.
Qed.
Lemma qrN x : qr (- x)%binQ = - qr x.
Proof. by rewrite /qr /= zrN mulNr. Qed.
Lemma qrB x y : qr (x - y)%binQ = qr x - qr y.
Proof. by rewrite /Qminus qrD qrN. Qed.
Lemma qrM x y : qr (x * y)%binQ = qr x * qr y.
Proof.
rewrite /qr /= !zrM zr_posM.
by field; rewrite !zr_posN.
Qed.
Lemma qrV x : qr (/ x)%binQ = (qr x)^-1.
Proof.
case: x => [[|a|a] b]; rewrite /qr /=; first by rewrite !mul0r invr0.
  by field; rewrite !zr_posN.
rewrite !zr_neg.
by field; rewrite !zr_posN.
Qed.
Lemma qr_le x y : Qle_bool x y -> qr x <= qr y.
Proof.
rewrite /Qle_bool => h; rewrite /qr ler_pdivr_mulr ?zr_pos // mulrAC.
by rewrite ler_pdivl_mulr ?zr_pos // -!zrM zr_le.
Qed.
Lemma qr_gt0 x : Z.ltb 0 (Qnum x) -> 0 < qr x.
Proof. by move=> h; rewrite /qr divr_gt0 ?zr_pos // -zr0 zr_lt. Qed.

(** ** Sums and inner products of lists *)
Fixpoint sumz (s : seq Z) : Z := if s is x :: s' then (x + sumz s')%binZ else 0%binZ.
Fixpoint dot (u v : seq Z) : Z :=
  match u, v with x :: u', y :: v' => (x * y + dot u' v')%binZ | _, _ => 0%binZ end.
Fixpoint map2 (T U V : Type) (f : T -> U -> V) s t : seq V :=
  match s, t with x :: s', y :: t' => f x y :: map2 f s' t' | _, _ => [::] end.

(** Entry i of a list, entry (i, j) of a list of rows. *)
Notation at1 s i := (nth 0%binZ s i).
Notation at2 A i j := (nth 0%binZ (nth [::] A i) j).

Lemma sumzE n s : size s = n -> zr (sumz s) = \sum_(i < n) zr (at1 s i).
Proof.
elim: s n => [|x s ih] [|n] //= => [_|[e]]; first by rewrite big_ord0.
by rewrite big_ord_recl zrD (ih n e).
Qed.
Lemma dotE n u v : size u = n -> size v = n ->
  zr (dot u v) = \sum_(i < n) zr (at1 u i) * zr (at1 v i).
Proof.
elim: u v n => [|x u ih] [|y v] [|n] //= => [_ _|[e] [e']]; first by rewrite big_ord0.
by rewrite big_ord_recl zrD zrM (ih v n e e').
Qed.
Lemma size_map2 T U V (f : T -> U -> V) n s t : size s = n -> size t = n ->
  size (map2 f s t) = n.
Proof. by elim: s t n => [|x s ih] [|y t] [|n] //= [e] [e']; rewrite (ih t n). Qed.
Lemma nth_map2 T U V (f : T -> U -> V) x0 y0 z0 n s t i : size s = n -> size t = n ->
  (i < n)%N -> nth z0 (map2 f s t) i = f (nth x0 s i) (nth y0 t i).
Proof. by elim: s t n i => [|x s ih] [|y t] [|n] [|i] //= [e] [e'] h; rewrite (ih t n). Qed.

(** ** Matrices given by rows *)
Definition shaped m n (A : seq (seq Z)) : bool :=
  (size A == m) && all (fun r => size r == n) A.
Definition matz m n (A : seq (seq Z)) : 'M[R]_(m, n) := \matrix_(i, j) zr (at2 A i j).

Lemma shaped_size m n A : shaped m n A -> size A = m.
Proof. by case/andP => /eqP. Qed.
Lemma shaped_row m n A i : shaped m n A -> (i < m)%N -> size (nth [::] A i) = n.
Proof. by case/andP => /eqP e /all_nthP h im; apply/eqP/h; rewrite e. Qed.
Lemma shaped_map2 f m n A B : shaped m n A -> shaped m n B ->
  shaped m n (map2 (map2 f) A B).
Proof.
move=> a b; apply/andP; split.
  by apply/eqP/size_map2; [exact: shaped_size a|exact: shaped_size b].
apply/(all_nthP [::]) => i; rewrite (size_map2 _ (shaped_size a) (shaped_size b)) => im.
rewrite (nth_map2 _ [::] [::] _ (shaped_size a) (shaped_size b) im).
by apply/eqP/size_map2; apply: shaped_row im.
Qed.
Lemma at_map2 f m n A B i j : shaped m n A -> shaped m n B -> (i < m)%N -> (j < n)%N ->
  at2 (map2 (map2 f) A B) i j = f (at2 A i j) (at2 B i j).
Proof.
move=> a b im jn; rewrite (nth_map2 _ [::] [::] _ (shaped_size a) (shaped_size b) im).
by rewrite (nth_map2 _ 0%binZ 0%binZ _ (shaped_row a im) (shaped_row b im) jn).
Qed.
End Numbers.
Notation at1 s i := (nth 0%binZ s i).
Notation at2 A i j := (nth 0%binZ (nth [::] A i) j).
Arguments matz R m n A : clear implicits.
